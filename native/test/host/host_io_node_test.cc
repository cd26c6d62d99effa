// The real host, on device nodes: /dev/zero and /dev/tty, and a loop device where the machine lets us have one.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/host/host_io.h"
#include "test/support/check.h"
#include "test/support/loop_device.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

HostIo& host = PosixHostIo();

using test::LoopDevice;

TEST_CASE("a character node is known by its device number, and has no size to tell") {
  FileInfo info;
  REQUIRE(host.StatPath("/dev/zero", &info) == 0);
  CHECK(info.type == FileType::kCharacter);
  CHECK(info.device == makedev(1, 5));
  CHECK(info.inode == 0);
  CHECK(info.size == 0);
  const int fd = host.Open("/dev/zero", {});
  REQUIRE(fd >= 0);
  CHECK(host.NodeSize(fd, FileType::kCharacter) == 0);
  CHECK(host.Close(fd) == 0);
}

TEST_CASE("what cannot seek says ESPIPE") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  CHECK(host.NodeSize(ends[0], FileType::kCharacter) == -ESPIPE);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("B17: a block node tells its size, its identity and whether it refuses writes") {
  const test::TempFile file(1 << 20);
  const LoopDevice loop(file, false);
  const LoopDevice read_only(file, true);
  if (loop.path().empty() || read_only.path().empty())
    SKIP("no loop device to be had (needs root and a free /dev/loopN)");
  OpenFlags flags;
  flags.write = true;
  const int fd = host.Open(loop.path(), flags);
  REQUIRE(fd >= 0);
  FileInfo info;
  struct stat st;
  REQUIRE(host.Stat(fd, &info) == 0);
  REQUIRE(::fstat(fd, &st) == 0);
  CHECK(info.type == FileType::kBlock);
  CHECK(info.device == st.st_rdev);
  CHECK(info.inode == 0);
  CHECK(host.NodeSize(fd, info.type) == 1 << 20);
  CHECK(host.NodeReadOnly(fd) == 0);
  DirectAlignment alignment;
  CHECK(host.AlignmentForDirect(fd, &alignment) == 0);
  CHECK(alignment.offset >= 512);

  const int refused = host.Open(read_only.path(), flags);
  if (refused >= 0) {
    CHECK(host.NodeReadOnly(refused) == 1);
    CHECK(host.Close(refused) == 0);
  } else {
    CHECK((refused == -EROFS || refused == -EACCES));
  }
  CHECK(host.Close(fd) == 0);
}

TEST_CASE("an exclusive open of a block node keeps other exclusive opens out") {
  const test::TempFile file(1 << 20);
  const LoopDevice loop(file, false);
  if (loop.path().empty()) SKIP("no loop device to be had (needs root and a free /dev/loopN)");
  OpenFlags flags;
  flags.write = true;
  flags.exclusive = true;
  const int plain = host.Open(loop.path(), {});
  REQUIRE(plain >= 0);
  const int first = host.Reopen(plain, loop.path(), flags);
  REQUIRE(first >= 0);
  CHECK(host.Reopen(plain, loop.path(), flags) == -EBUSY);
  CHECK(host.Close(first) == 0);
  const int again = host.Reopen(plain, loop.path(), flags);
  REQUIRE(again >= 0);
  CHECK(host.Close(again) == 0);
  CHECK(host.Close(plain) == 0);
}

}  // namespace
}  // namespace blk
