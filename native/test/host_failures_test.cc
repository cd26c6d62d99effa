// Every operation under every failing host call. A story is run once to count its host calls, then once for each call
// and errno, with that call failing. Wherever it fails, the error is the host's (or the story went on without that
// call), nothing leaks, and the minor still works afterwards.
#include <doctest/doctest.h>

#include "core/device/driver.h"
#include "test/support/device_rig.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::kKiB;
using test::Pattern;
using test::TempFile;

constexpr uint64_t kBegin = 512;
constexpr uint64_t kWindow = 64 * kKiB;
constexpr size_t kSize = 3 * kWindow;
constexpr uint64_t kFileSize = 4 * kWindow;

// One run of a story: what it has open, and the first error it met.
struct Stage {
  explicit Stage(const TempFile& host_file) : file(host_file), driver(Small(), host) {
    host.direct = DirectAlignment{1, 512};
    host.pretend_syncs = true;
  }
  static DriverOptions Small() {
    DriverOptions options;
    options.minor_count = 2;
    options.window_size = {WindowSize::Kind::kBytes, kWindow};
    options.window_count = 2;  // so that requests remap
    return options;
  }
  void Note(const Status& status) {
    if (first.ok()) first = status;
  }
  bool Register() {
    HostRange range;
    range.offset = kBegin;
    range.size = kSize;
    const auto registered = driver.Register(file.path(), range);
    Note(registered.status());
    return registered.ok();
  }
  bool Open(const OpenOptions& options) {
    auto opened = driver.Open(0, options);
    Note(opened.status());
    if (opened.ok()) device = opened.Take();
    return opened.ok();
  }
  void Transfer(BufOp op, std::vector<uint8_t>& bytes, Fua fua) {
    auto transfer = device->BytesRequest(op, 1000, bytes.data(), bytes.size(), fua);
    device->Run(transfer);
    Note(transfer.status);
    if (transfer.status.ok()) CHECK(transfer.moved == bytes.size());
  }

  const TempFile& file;
  FakeHost host;
  Status first;
  Driver driver;
  std::shared_ptr<Device> device;
};

// The bytes of the whole file, made once.
const std::vector<uint8_t>& Content() {
  static const std::vector<uint8_t> content = Pattern(0, kFileSize);
  return content;
}
std::vector<uint8_t> ContentOf(uint64_t position, size_t size) {
  const auto begin = Content().begin() + static_cast<ptrdiff_t>(kBegin + position);
  return {begin, begin + static_cast<ptrdiff_t>(size)};
}

struct Setup {
  Access access;
  OpenMode mode;
  bool direct;
};

// Register, open, read, write, durable write, flush, map, close, deregister: as far as it comes.
void Story(Stage& stage, const Setup& setup) {
  OpenOptions options;
  options.access = setup.access;
  options.mode = setup.mode;
  options.direct = setup.direct;
  if (!stage.Register()) return;
  if (stage.Open(options)) {
    std::vector<uint8_t> bytes(2 * kWindow);
    for (int i = 0; i < 3; i++) {
      const bool before = stage.first.ok();
      stage.Transfer(BufOp::kRead, bytes, Fua::kOff);
      if (before && stage.first.ok()) CHECK(bytes == ContentOf(1000, bytes.size()));
    }
    if (setup.mode == OpenMode::kReadWrite) {
      // The bytes that are there already: what a failure leaves of them is the pattern all the same.
      bytes = ContentOf(1000, bytes.size());
      stage.Transfer(BufOp::kWrite, bytes, Fua::kOff);
      stage.Note(stage.device->Flush(0));
      stage.Transfer(BufOp::kWrite, bytes, Fua::kOn);
    }
    if (setup.access != Access::kPio && !setup.direct) {
      auto lease = stage.device->Map(2 * kWindow, 100);
      // A device that could not map its windows at open lends none: that errno is not the host's.
      if (lease.ok()) {
        stage.Note(lease.value()->Release());
      } else if (lease.status().err != ENOTSUP && lease.status().err != EBUSY) {
        stage.Note(lease.status());
      }
    }
    stage.Note(stage.device->Close(0));
  }
  stage.Note(stage.driver.Deregister(0));
}

// After the storm: the same file, through the same driver, works.
void CheckWorks(Stage& stage, const Setup& setup) {
  stage.host.Heal();
  stage.device.reset();
  stage.first = Status::Ok();
  Story(stage, setup);
  CHECK(stage.first.ok());
}

void CheckNothingLeaks(Stage& stage) {
  stage.device.reset();
  CHECK(stage.driver.Close().ok());
  CHECK(stage.host.open_descriptors() == 0);
  CHECK(stage.host.mappings() == 0);
  CHECK(stage.host.misuses() == 0);
}

// Calls whose failure a caller need not hear of, because the work gets done by others.
bool MayBeSilent(const test::CallRecord& call, int err) {
  switch (call.call) {
    case Call::kMmap:           // B33: pread and pwrite serve
    case Call::kMunmap:         // of one window among many, while it makes room
    case Call::kPwriteDurable:  // pwrite and fdatasync serve, but for EIO
      return call.call != Call::kPwriteDurable || err != EIO;
    default: return false;
  }
}

void RunStorm(const Setup& setup) {
  const TempFile file(kFileSize);
  file.Fill();
  uint64_t calls = 0;
  {
    Stage calm(file);
    Story(calm, setup);
    REQUIRE(calm.first.ok());
    calls = calm.host.calls();
    CheckNothingLeaks(calm);
  }
  REQUIRE(calls > 5);
  for (const int err : {EIO, ENOMEM, ENOSPC}) {
    for (uint64_t nth = 0; nth < calls; nth++) {
      Stage stage(file);
      stage.host.Fail(std::nullopt, err, nth);
      Story(stage, setup);
      const auto journal = stage.host.Journal();
      REQUIRE(journal.size() > nth);
      const test::CallRecord& failed = journal[nth];
      INFO("call " << nth << " of " << calls << ": " << CallName(failed.call) << " fails with " << err);
      CHECK(failed.result == -err);
      if (!stage.first.ok()) {
        CHECK(stage.first.err == err);
      } else {
        CHECK(MayBeSilent(failed, err));
      }
      CheckWorks(stage, setup);
      CheckNothingLeaks(stage);
      if (nth % 16 == 0) REQUIRE(file.Read(0, kFileSize) == Content());
    }
  }
}

TEST_CASE("every host call fails once: access auto") {
  RunStorm({Access::kAuto, OpenMode::kRead, false});
  RunStorm({Access::kAuto, OpenMode::kReadWrite, false});
}

TEST_CASE("every host call fails once: access mmap") {
  RunStorm({Access::kMmap, OpenMode::kRead, false});
  RunStorm({Access::kMmap, OpenMode::kReadWrite, false});
}

TEST_CASE("every host call fails once: access pio") {
  RunStorm({Access::kPio, OpenMode::kRead, false});
  RunStorm({Access::kPio, OpenMode::kReadWrite, false});
}

TEST_CASE("every host call fails once: O_DIRECT") {
  RunStorm({Access::kPio, OpenMode::kRead, true});
  RunStorm({Access::kPio, OpenMode::kReadWrite, true});
}

}  // namespace
}  // namespace blk
