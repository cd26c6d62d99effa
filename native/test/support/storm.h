// Storm: a story under every misbehaviour of every one of its host calls. The story is run once to count the calls,
// then once for each call and misbehaviour. Wherever it strikes, the error is the host's, or the story went on without
// that call; nothing leaks; and the same driver tells the story to its end afterwards.
#ifndef RUMPBLK_TEST_SUPPORT_STORM_H_
#define RUMPBLK_TEST_SUPPORT_STORM_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/aligned_buffer.h"
#include "core/device/driver.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/rig.h"

namespace blk::test {

inline constexpr uint64_t kStormBegin = 512;
inline constexpr uint64_t kStormWindow = 64 * kKiB;
inline constexpr size_t kStormSize = 3 * kStormWindow;
inline constexpr uint64_t kStormFile = 4 * kStormWindow;

// The bytes that belong on the device, which every story leaves there.
inline std::vector<uint8_t> StormBytes(uint64_t position, size_t size) { return Pattern(kStormBegin + position, size); }

// Memory of a story: at a page, so that the calls are the same each time (core/host/copy.h has another way for some).
class StormMemory {
 public:
  explicit StormMemory(size_t size) : size_(size), memory_(size) {}
  explicit StormMemory(const std::vector<uint8_t>& bytes) : StormMemory(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), data());
  }
  uint8_t* data() { return memory_.data(); }
  size_t size() const { return size_; }
  bool Holds(const std::vector<uint8_t>& bytes, size_t at = 0) {
    return std::equal(bytes.begin(), bytes.end(), data() + at);
  }

 private:
  const size_t size_;
  AlignedBuffer memory_;
};

// One run of a story: what it has open, and the first error it met.
struct Stage {
  Stage(const TempFile& host_file, const std::function<void(FakeHost&)>& disguise)
      : file(host_file), driver(Small(), host) {
    host.direct = DirectAlignment{1, 512};
    host.pretend_syncs = true;
    if (disguise) disguise(host);
  }
  static DriverOptions Small() {
    DriverOptions options;
    options.minor_count = 2;
    options.window_size = {WindowSize::Kind::kBytes, kStormWindow};
    options.window_count = 2;  // so that requests remap
    options.workers = 1;       // so that the calls come in one order
    return options;
  }
  static MediumRange Range() {
    MediumRange range;
    range.offset = kStormBegin;
    range.size = kStormSize;
    return range;
  }
  void Note(const Status& status) {
    if (first.ok()) first = status;
  }
  bool Keep(Result<std::shared_ptr<Device>> opened) {
    Note(opened.status());
    if (opened.ok()) device = opened.Take();
    return opened.ok();
  }
  bool Register() {
    const auto registered = driver.Register(file.path(), Range());
    Note(registered.status());
    return registered.ok();
  }
  bool Open(const OpenOptions& options) { return Keep(driver.Open(0, options)); }
  void Run(Request request) {
    device->Run(request);
    Note(request.status);
    if (request.status.ok()) CHECK(request.moved == request.length);
  }

  const TempFile& file;
  FakeHost host;
  Status first;
  Driver driver;
  std::shared_ptr<Device> device;
};
using Story = std::function<void(Stage&)>;

// Calls that are made again after EINTR.
inline bool IsMadeAgain(Call call) {
  switch (call) {
    case Call::kClose:  // the descriptor is gone
    case Call::kMmap:
    case Call::kMunmap:
    case Call::kLock:
    case Call::kTestLock: return false;
    default: return true;
  }
}

// Calls whose failure nobody is to hear of: they are made again, or ask what need not be known.
inline bool IsSilent(const CallRecord& call, int err) {
  if (err == kHalfway || call.call == Call::kAdvise || call.call == Call::kMincore) return true;
  if (call.call == Call::kPreadNowait) return true;
  return err == EINTR && IsMadeAgain(call.call);
}

// Calls whose failure a caller need not hear of, because the work gets done by others.
inline bool MayBeSilent(Stage& stage, const CallRecord& call, int err) {
  const auto is_direct = [&](int fd) {
    for (const auto& reopened : stage.host.Journal(Call::kReopen)) {
      if (reopened.result == fd && reopened.flags.direct) return true;
    }
    return false;
  };
  switch (call.call) {
    case Call::kMmap:                                   // B33: pread and pwrite serve
    case Call::kMunmap: return true;                    // of one window among many, while it makes room
    case Call::kSeekData: return true;                  // what is in doubt is data
    case Call::kAlignment: return !is_direct(call.fd);  // a page fits every sector there is
    case Call::kPwriteDurable: return err != EIO;       // pwrite and fdatasync serve, but for EIO
    default: return false;
  }
}

inline void CheckError(Stage& stage, const CallRecord& failed, int err) {
  if (IsSilent(failed, err)) {
    CHECK(stage.first.ok());
  } else if (stage.first.ok()) {
    CHECK(MayBeSilent(stage, failed, err));
  } else {
    // Of a lock, EAGAIN means that somebody else has it.
    CHECK(stage.first.err == (failed.call == Call::kLock && err == EAGAIN ? EBUSY : err));
  }
}

inline void CheckNothingLeaks(Stage& stage) {
  stage.device.reset();
  CHECK(stage.driver.Close().ok());
  CHECK(stage.host.open_descriptors() == 0);
  CHECK(stage.host.mappings() == 0);
  CHECK(stage.host.misuses() == 0);
}

inline void RunStorm(const Story& story, const std::function<void(FakeHost&)>& disguise = nullptr) {
  const TempFile file(kStormFile);
  file.Fill();
  const auto content = Pattern(0, kStormFile);
  uint64_t calls = 0;
  {
    Stage calm(file, disguise);
    story(calm);
    REQUIRE(calm.first.ok());
    calls = calm.host.calls();
    CheckNothingLeaks(calm);
  }
  REQUIRE(calls > 5);
  for (const int err : {EIO, ENOMEM, ENOSPC, EINTR, EAGAIN, kHalfway}) {
    for (uint64_t nth = 0; nth < calls; nth++) {
      Stage stage(file, disguise);
      stage.host.Fail(std::nullopt, err, nth);
      story(stage);
      const auto journal = stage.host.Journal();
      REQUIRE(journal.size() > nth);
      const CallRecord& failed = journal[nth];
      INFO("call " << nth << " of " << calls << ": " << CallName(failed.call) << " fails with " << err);
      if (err != kHalfway) CHECK(failed.result == -err);
      CheckError(stage, failed, err);
      // After the storm: the same file, through the same driver, works.
      stage.host.Heal();
      stage.device.reset();
      stage.first = Status::Ok();
      story(stage);
      CHECK(stage.first.ok());
      CheckNothingLeaks(stage);
      if (nth % 16 == 0) REQUIRE(file.Read(0, kStormFile) == content);
    }
  }
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_STORM_H_
