// Issue 13, item 8: the bytes that QEMU's programs lock, from both sides. Its programs themselves are met in
// test/driver/qemu-locks.test.ts.
#include "core/medium/qemu_lock.h"

#include "core/device/minor.h"
#include "test/support/check.h"
#include "test/support/device_rig.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::kMiB;
using test::TempFile;

// A program of QEMU's: shared locks on what it uses and on what it does not share.
struct Program {
  explicit Program(const std::string& path) {
    OpenFlags flags;
    flags.write = true;
    fd = host.Open(path, flags);
    test::Must(fd >= 0, "open");
  }
  ~Program() { static_cast<void>(host.Close(fd)); }
  void Take(std::initializer_list<uint64_t> bytes) {
    for (const uint64_t byte : bytes) test::Must(host.Lock(fd, LockKind::kShared, byte, 1) == 0, "lock");
  }
  void Leave() { test::Must(host.Lock(fd, LockKind::kNone, 0, 256) == 0, "unlock"); }
  // Of the bytes that it may ask for, those where it would find somebody.
  std::vector<uint64_t> Finds() {
    std::vector<uint64_t> found;
    for (const uint64_t base : {100, 200}) {
      for (uint64_t byte = base; byte < base + 5; byte++) {
        HeldLock held;
        if (host.TestLock(fd, LockKind::kExclusive, byte, 1, &held) == 1) found.push_back(byte);
      }
    }
    return found;
  }

  HostIo& host = PosixHostIo();
  int fd = -1;
};

OpenOptions Options(OpenMode mode) {
  OpenOptions options;
  options.mode = mode;
  return options;
}
const OpenOptions kReader = Options(OpenMode::kRead);
const OpenOptions kWriter = Options(OpenMode::kReadWrite);

using Found = std::vector<uint64_t>;
const Found kOfReader = {201, 203};
const Found kOfWriter = {101, 102, 103, 104, 200, 201, 202, 203, 204};

struct QemuRig {
  std::shared_ptr<Minor> Make(uint64_t offset, uint64_t size) {
    MediumRange range;
    range.offset = offset;
    range.size = size;
    auto minor = test::CreateMinor(host, file.path(), range).Take();
    minor->SetIndex(0);
    return minor;
  }
  FakeHost host;
  TempFile file{kMiB};
  Program qemu{file.path()};
};

TEST_CASE("what QEMU's programs find follows the opens, up and down") {
  QemuRig rig;
  const auto minor = rig.Make(0, 8192);
  CHECK(rig.qemu.Finds().empty());
  CHECK(minor->Acquire(kReader).ok());
  CHECK(rig.qemu.Finds() == kOfReader);
  CHECK(minor->Acquire(kWriter).ok());
  CHECK(rig.qemu.Finds() == kOfWriter);
  CHECK(minor->Release(kWriter).ok());
  CHECK(rig.qemu.Finds() == kOfReader);
  CHECK(minor->Acquire(kWriter).ok());
  CHECK(minor->Release(kReader).ok());
  CHECK(rig.qemu.Finds() == kOfWriter);
  CHECK(minor->Release(kWriter).ok());
  CHECK(rig.qemu.Finds().empty());
}

TEST_CASE("who is let in beside a program of QEMU's") {
  struct Row {
    const char* name;
    std::initializer_list<uint64_t> bytes;
    bool reader, writer;
  };
  for (const Row& row :
       {Row{"one that reads and shares all", {100}, true, false},
        Row{"one that reads and lets nobody write", {100, 201, 203}, true, false},
        Row{"one that writes and shares all", {100, 101}, false, false},
        Row{"one that writes alone", {100, 101, 103, 201, 203}, false, false},
        Row{"one that resizes", {103, 203}, false, false}, Row{"one that lets nobody read", {100, 200}, false, false},
        Row{"one that looks at metadata", {}, true, true}}) {
    INFO(row.name);
    QemuRig rig;
    const auto minor = rig.Make(4096, 512);
    rig.qemu.Take(row.bytes);
    for (const auto& [options, allowed] : {std::pair{kReader, row.reader}, {kWriter, row.writer}}) {
      const auto opened = minor->Acquire(options);
      CHECK(opened.status().err == (allowed ? 0 : EBUSY));
      if (!allowed) CHECK(opened.status().op == Op::kLock);
      if (!allowed) CHECK(minor->LockHolder(options.mode) == ::getpid());
      if (allowed) CHECK(minor->Release(options).ok());
      CHECK(rig.qemu.Finds().empty());
    }
    rig.qemu.Leave();
    CHECK(minor->Acquire(kWriter).ok());
    CHECK(minor->Release(kWriter).ok());
  }
}

TEST_CASE("a reader whose writer is refused stays one to QEMU") {
  QemuRig rig;
  const auto minor = rig.Make(0, 8192);
  CHECK(minor->Acquire(kReader).ok());
  rig.qemu.Take({100, 201});
  CHECK(minor->Acquire(kWriter).status().err == EBUSY);
  CHECK(rig.qemu.Finds() == kOfReader);
  rig.qemu.Leave();
  CHECK(minor->Acquire(kWriter).ok());
}

TEST_CASE("opens of other ranges are not taken for programs of QEMU's, in any order of modes") {
  QemuRig rig;
  for (const OpenOptions& first : {kReader, kWriter}) {
    for (const OpenOptions& second : {kReader, kWriter}) {
      const auto a = rig.Make(0, 4096), b = rig.Make(4096, 4096);
      CHECK(a->Acquire(first).ok());
      CHECK(b->Acquire(second).ok());
      CHECK(a->Acquire(kWriter).ok());
      CHECK(b->Acquire(kWriter).ok());
    }
  }
}

TEST_CASE("a program of QEMU's is seen beside a reader of another range") {
  QemuRig rig;
  const auto a = rig.Make(0, 4096), b = rig.Make(4096, 4096);
  CHECK(a->Acquire(kReader).ok());
  rig.qemu.Take({100, 201, 203});
  CHECK(b->Acquire(kReader).ok());
  CHECK(b->Acquire(kWriter).status().err == EBUSY);
}

TEST_CASE("a look that the host cannot make is its errno, and leaves nothing") {
  QemuRig rig;
  const auto minor = rig.Make(0, 8192);
  rig.host.Fail(Call::kTestLock, ENOLCK);
  const auto refused = minor->Acquire(kReader);
  CHECK(refused.status().err == ENOLCK);
  CHECK(refused.status().op == Op::kLock);
  CHECK(rig.qemu.Finds().empty());
}

TEST_CASE("a lock that fails half-way up leaves what was there; after one that fails on the way down it is set again") {
  for (uint64_t pass = 0; pass < 8; pass++) {
    QemuRig rig;
    const auto minor = rig.Make(0, 8192);
    CHECK(minor->Acquire(kReader).ok());
    rig.host.Fail(Call::kLock, ENOLCK, pass);
    const bool up = minor->Acquire(kWriter).ok();
    CHECK(rig.qemu.Finds() == (up ? kOfWriter : kOfReader));
    if (up) static_cast<void>(minor->Release(kWriter));
    rig.host.Heal();
    CHECK(minor->Acquire(kWriter).ok());
    CHECK(rig.qemu.Finds() == kOfWriter);
    CHECK(minor->Release(kWriter).ok());
    CHECK(rig.qemu.Finds() == kOfReader);
    CHECK(minor->Release(kReader).ok());
    CHECK(rig.qemu.Finds().empty());
  }
}

}  // namespace
}  // namespace blk
