// B29: the lock of a minor on its range of the host file: one per minor, shared while all opens are 'r'.

#include "core/device/minor.h"
#include "core/medium/qemu_lock.h"
#include "test/support/check.h"
#include "test/support/device_rig.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::kMiB;
using test::TempFile;

OpenOptions Options(OpenMode mode, bool lock = true) {
  OpenOptions options;
  options.mode = mode;
  options.lock = lock;
  return options;
}
const OpenOptions kReader = Options(OpenMode::kRead);
const OpenOptions kWriter = Options(OpenMode::kReadWrite);

struct LockRig {
  LockRig() : file(kMiB), minor(Make(0, 8192)) {}
  std::shared_ptr<Minor> Make(uint64_t offset, uint64_t size) {
    MediumRange range;
    range.offset = offset;
    range.size = size;
    auto minor = test::CreateMinor(host, file.path(), range).Take();
    minor->SetIndex(0);
    return minor;
  }
  // What somebody else can take of the minor's range now.
  bool OthersCan(LockKind kind) {
    HostIo& real = PosixHostIo();
    OpenFlags flags;
    flags.write = true;
    const int fd = real.Open(file.path(), flags);
    const bool taken = real.Lock(fd, kind, kRangeLocks, 8192) == 0;
    static_cast<void>(real.Close(fd));
    return taken;
  }
  // 'u'nlocked, 's'hared or e'x'clusive, as others see it.
  char Seen() { return OthersCan(LockKind::kExclusive) ? 'u' : OthersCan(LockKind::kShared) ? 's' : 'x'; }
  int Open(Minor& m, const OpenOptions& options) { return m.Acquire(options).status().err; }
  int Open(const OpenOptions& options) { return Open(*minor, options); }
  void Close(const OpenOptions& options) { CHECK(minor->Release(options).ok()); }

  FakeHost host;
  TempFile file;
  std::shared_ptr<Minor> minor;
};

TEST_CASE("B29: the lock follows the opens: none, shared, exclusive, and back") {
  LockRig rig;
  CHECK(rig.Seen() == 'u');
  CHECK(rig.Open(kReader) == 0);
  CHECK(rig.Seen() == 's');
  CHECK(rig.Open(kWriter) == 0);
  CHECK(rig.Seen() == 'x');
  CHECK(rig.Open(kWriter) == 0);
  rig.Close(kWriter);
  CHECK(rig.Seen() == 'x');
  rig.Close(kWriter);
  CHECK(rig.Seen() == 's');
  CHECK(rig.Open(kWriter) == 0);  // up again, from a lock that lies on the writer's descriptor
  CHECK(rig.Seen() == 'x');
  rig.Close(kReader);
  CHECK(rig.Seen() == 'x');
  rig.Close(kWriter);
  CHECK(rig.Seen() == 'u');
}

TEST_CASE("B29: a writer that comes first, and a reader that stays") {
  LockRig rig;
  CHECK(rig.Open(kWriter) == 0);
  CHECK(rig.Seen() == 'x');
  CHECK(rig.Open(kReader) == 0);
  CHECK(rig.Seen() == 'x');
  rig.Close(kWriter);
  CHECK(rig.Seen() == 's');
  rig.Close(kReader);
  CHECK(rig.Seen() == 'u');
}

TEST_CASE("B29: opens without a lock take none and keep none") {
  LockRig rig;
  const OpenOptions reader = Options(OpenMode::kRead, false), writer = Options(OpenMode::kReadWrite, false);
  CHECK(rig.Open(writer) == 0);
  CHECK(rig.Open(reader) == 0);
  CHECK(rig.Seen() == 'u');
  CHECK(rig.host.calls(Call::kLock) == 0);
  CHECK(rig.Open(kReader) == 0);
  CHECK(rig.Seen() == 's');
  rig.Close(kReader);
  CHECK(rig.Seen() == 'u');
  rig.Close(reader);
  rig.Close(writer);
}

TEST_CASE("B29: another minor on an overlapping range counts as another process") {
  LockRig rig;
  const auto overlapping = rig.Make(8191, 100);
  const auto beside = rig.Make(8291, 100);
  CHECK(rig.Open(kReader) == 0);
  CHECK(rig.Open(*overlapping, kWriter) == EBUSY);
  CHECK(rig.Open(*overlapping, kReader) == 0);
  CHECK(rig.Open(*beside, kWriter) == 0);
  const auto refused = rig.minor->Acquire(kWriter);
  CHECK(refused.status().err == EBUSY);
  CHECK(refused.status().op == Op::kLock);
  CHECK(overlapping->Release(kReader).ok());
  CHECK(rig.Open(kWriter) == 0);
  CHECK(rig.Open(*overlapping, kReader) == EBUSY);
  rig.Close(kWriter);
  rig.Close(kReader);
  CHECK(beside->Release(kWriter).ok());
}

TEST_CASE("B29: a writer that is refused leaves the readers their lock and opens nothing") {
  LockRig rig;
  const auto other = rig.Make(0, 8192);
  CHECK(rig.Open(kReader) == 0);
  CHECK(rig.Open(*other, kReader) == 0);
  CHECK(rig.Open(kWriter) == EBUSY);
  CHECK(other->Release(kReader).ok());
  CHECK(rig.Seen() == 's');
  CHECK(rig.minor->open_count() == 1);
  rig.Close(kReader);
  CHECK(rig.Seen() == 'u');
  CHECK(rig.host.open_descriptors() == 2);  // the two registrations
}

TEST_CASE("B29: a lock that the host cannot take is its errno, and the open leaves nothing") {
  LockRig rig;
  for (const int err : {ENOLCK, ENOMEM}) {
    rig.host.Fail(Call::kLock, err);
    const auto refused = rig.minor->Acquire(kWriter);
    CHECK(refused.status().err == err);
    CHECK(refused.status().op == Op::kLock);
    CHECK(rig.minor->open_count() == 0);
    CHECK(rig.host.open_descriptors() == 1);
  }
  CHECK(rig.Open(kWriter) == 0);
  rig.Close(kWriter);
}

TEST_CASE("B29: EACCES of the host means held by somebody else, as EAGAIN does") {
  LockRig rig;
  rig.host.Fail(Call::kLock, EACCES);
  CHECK(rig.Open(kWriter) == EBUSY);
}

TEST_CASE("B29: after a release that could not unlock, the next open locks again") {
  LockRig rig;
  CHECK(rig.Open(kWriter) == 0);
  rig.host.Fail(Call::kLock, ENOLCK);
  const Status status = rig.minor->Release(kWriter);
  CHECK(status.err == ENOLCK);
  CHECK(status.op == Op::kLock);
  CHECK(rig.Seen() == 'u');  // it went with its descriptor
  CHECK(rig.Open(kWriter) == 0);
  CHECK(rig.Seen() == 'x');
  rig.Close(kWriter);
  CHECK(rig.Seen() == 'u');
}

TEST_CASE("B29: a range of no bytes locks nothing, least of all what follows it") {
  LockRig rig;
  const auto empty = rig.Make(0, 0);
  CHECK(rig.Open(*empty, kWriter) == 0);
  CHECK(rig.Seen() == 'u');
  CHECK(rig.host.calls(Call::kLock) == 0);
  CHECK(empty->Release(kWriter).ok());
}

TEST_CASE("B29: the lock covers the range and no byte beside it") {
  LockRig rig;
  const auto minor = rig.Make(4096, 512);
  CHECK(rig.Open(*minor, kWriter) == 0);
  const auto locks = rig.host.Journal(Call::kLock);
  REQUIRE(!locks.empty());
  CHECK(locks[0].offset == (uint64_t{1} << 62) + 4096);
  CHECK(locks[0].size == 512);
  CHECK(locks[0].lock == LockKind::kExclusive);
  // The others are those that QEMU's programs look for.
  for (size_t i = 1; i < locks.size(); i++) CHECK(locks[i].offset + locks[i].size < 256);
  CHECK(minor->Release(kWriter).ok());
}

}  // namespace
}  // namespace blk
