// Who has a lock in the way. Locks of other processes are met in test/driver/locks.test.ts.
#include "core/host/lock_holder.h"

#include <fcntl.h>
#include <unistd.h>

#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::TempFile;

struct Locked {
  Locked(const TempFile& file, LockKind kind, uint64_t offset, uint64_t size)
      : fd(::open(file.path().c_str(), O_RDWR | O_CLOEXEC)) {
    test::Must(fd >= 0 && PosixHostIo().Lock(fd, kind, offset, size) == 0, "lock");
  }
  ~Locked() { ::close(fd); }
  const int fd;
};

TEST_CASE("a line of fdinfo about an open-file-description lock is read, others are not") {
  const auto lock = ParseFdLock("lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:12345 0 EOF");
  REQUIRE(lock);
  CHECK(lock->exclusive);
  CHECK(lock->inode == 12345);
  CHECK(lock->begin == 0);
  CHECK(lock->last == UINT64_MAX);
  const auto shared = ParseFdLock("lock:\t12: OFDLCK  ADVISORY  READ -1 00:2d:7 4096 8191");
  REQUIRE(shared);
  CHECK_FALSE(shared->exclusive);
  CHECK(shared->inode == 7);
  CHECK(shared->begin == 4096);
  CHECK(shared->last == 8191);
  for (const char* line :
       {"", "pos:\t0", "lock:", "lock:\t1: POSIX  ADVISORY  WRITE 99 fe:00:12345 0 EOF", "lock:\t1: OFDLCK",
        "lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:x 0 EOF", "lock:\t1: OFDLCK  ADVISORY  WRITE -1 12345 0 EOF",
        "lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:12345 -1 EOF", "lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:1 0"}) {
    INFO(line);
    CHECK_FALSE(ParseFdLock(line));
  }
}

TEST_CASE(
    "another descriptor of this process is found, when its lock is in the way, and unless it is said to be ours") {
  const TempFile file(64 * 1024), other(64 * 1024);
  const Locked holder(file, LockKind::kExclusive, 4096, 4096);
  const Locked foreign(other, LockKind::kExclusive, 0, 0);
  const Locked asking(file, LockKind::kNone, 0, 1);
  const auto find = [&](LockKind kind, uint64_t offset, uint64_t size, std::vector<int> own = {}) {
    return FindLockHolder(asking.fd, kind, offset, size, own);
  };
  CHECK(find(LockKind::kExclusive, 0, 0) == ::getpid());
  CHECK(find(LockKind::kShared, 8191, 1) == ::getpid());
  CHECK(find(LockKind::kExclusive, 0, 4097) == ::getpid());
  CHECK(find(LockKind::kExclusive, 0, 4096) == 0);
  CHECK(find(LockKind::kExclusive, 8192, 0) == 0);
  CHECK(find(LockKind::kExclusive, 0, 0, {holder.fd}) == 0);
}

TEST_CASE("a shared lock is in the way of an exclusive one alone") {
  const TempFile file(4096);
  const Locked holder(file, LockKind::kShared, 0, 100);
  const Locked asking(file, LockKind::kNone, 0, 1);
  CHECK(FindLockHolder(asking.fd, LockKind::kShared, 0, 0, {}) == 0);
  CHECK(FindLockHolder(asking.fd, LockKind::kExclusive, 0, 0, {}) == ::getpid());
}

TEST_CASE("a descriptor that is not one finds nobody") {
  CHECK(FindLockHolder(-1, LockKind::kExclusive, 0, 0, {}) == 0);
}

}  // namespace
}  // namespace blk
