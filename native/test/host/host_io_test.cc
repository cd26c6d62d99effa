// The real host, on real files. Nodes are in host_io_node_test.cc.
#include "core/host/host_io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/base/aligned_buffer.h"
#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::Pattern;
using test::TempFile;

HostIo& host = PosixHostIo();

// A descriptor of the test; closes itself.
struct Fd {
  explicit Fd(int opened) : n(opened) {}
  ~Fd() {
    if (n >= 0) static_cast<void>(host.Close(n));
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int n;
};

OpenFlags Writing() {
  OpenFlags flags;
  flags.write = true;
  return flags;
}

bool SameFile(int a, int b) {
  FileInfo x, y;
  return host.Stat(a, &x) == 0 && host.Stat(b, &y) == 0 && x.device == y.device && x.inode == y.inode;
}

TEST_CASE("errors are negative errnos") {
  TempFile file;
  CHECK(host.Open(file.Sibling("missing"), {}) == -ENOENT);
  FileInfo info;
  CHECK(host.StatPath(file.Sibling("missing"), &info) == -ENOENT);
  CHECK(host.Close(-1) == -EBADF);
  char byte;
  CHECK(host.Pread(-1, &byte, 1, 0) == -EBADF);
  CHECK(host.Fdatasync(-1) == -EBADF);
  CHECK(host.Msync(reinterpret_cast<void*>(1), 1) == -EINVAL);
  CHECK(host.Reopen(1 << 20, file.Sibling("missing"), {}) == -ENOENT);
}

TEST_CASE("stat tells type, size and identity, by descriptor and by path") {
  TempFile file(12345);
  Fd fd(host.Open(file.path(), {}));
  FileInfo by_fd, by_path;
  REQUIRE(host.Stat(fd.n, &by_fd) == 0);
  REQUIRE(host.StatPath(file.path(), &by_path) == 0);
  CHECK(by_fd.type == FileType::kRegular);
  CHECK(by_fd.size == 12345);
  CHECK(by_fd.inode != 0);
  CHECK(by_fd.inode == by_path.inode);
  CHECK(by_fd.device == by_path.device);
  FileInfo folder;
  REQUIRE(host.StatPath(std::filesystem::path(file.path()).parent_path(), &folder) == 0);
  CHECK(folder.type == FileType::kOther);
}

TEST_CASE("descriptors are close-on-exec and do not stay non-blocking") {
  TempFile file(512);
  Fd fd(host.Open(file.path(), Writing()));
  Fd again(host.Reopen(fd.n, file.path(), Writing()));
  for (const int n : {fd.n, again.n}) {
    CHECK((::fcntl(n, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(n, F_GETFL) & O_NONBLOCK) == 0);
    CHECK((::fcntl(n, F_GETFL) & O_ACCMODE) == O_RDWR);
  }
}

TEST_CASE("opening a pipe that took the place of a file does not wait for its other end") {
  TempFile file;
  REQUIRE(::mkfifo(file.Sibling("pipe").c_str(), 0600) == 0);
  Fd fd(host.Open(file.Sibling("pipe"), {}));  // hangs without O_NONBLOCK
  REQUIRE(fd.n >= 0);
  FileInfo info;
  REQUIRE(host.Stat(fd.n, &info) == 0);
  CHECK(info.type == FileType::kOther);
}

TEST_CASE("B23: Reopen gives the same file after its path was renamed, replaced or removed") {
  TempFile file(512);
  Fd fd(host.Open(file.path(), {}));
  REQUIRE(fd.n >= 0);
  std::filesystem::rename(file.path(), file.Sibling("elsewhere"));
  {
    Fd renamed(host.Reopen(fd.n, file.path(), Writing()));
    REQUIRE(renamed.n >= 0);
    CHECK(SameFile(fd.n, renamed.n));
  }
  ::close(::open(file.path().c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));  // another file under the old name
  {
    Fd replaced(host.Reopen(fd.n, file.path(), Writing()));
    REQUIRE(replaced.n >= 0);
    CHECK(SameFile(fd.n, replaced.n));
    const Fd impostor(host.Open(file.path(), {}));
    CHECK_FALSE(SameFile(fd.n, impostor.n));
  }
  std::filesystem::remove(file.Sibling("elsewhere"));
  Fd removed(host.Reopen(fd.n, file.path(), Writing()));
  REQUIRE(removed.n >= 0);
  CHECK(SameFile(fd.n, removed.n));
  CHECK(host.Pwrite(removed.n, "x", 1, 0) == 1);
}

TEST_CASE("a write through a descriptor opened to read is EBADF") {
  TempFile file(512);
  Fd fd(host.Open(file.path(), {}));
  CHECK(host.Pwrite(fd.n, "x", 1, 0) == -EBADF);
}

TEST_CASE("pread and pwrite move bytes at their offset, past 4 GiB too") {
  TempFile file(uint64_t{5} << 30);
  Fd fd(host.Open(file.path(), Writing()));
  const uint64_t at = (uint64_t{4} << 30) + 777;
  const auto bytes = Pattern(at, 1000);
  REQUIRE(host.Pwrite(fd.n, bytes.data(), bytes.size(), at) == 1000);
  CHECK(file.Read(at, 1000) == bytes);
  std::vector<uint8_t> back(1000);
  REQUIRE(host.Pread(fd.n, back.data(), back.size(), at) == 1000);
  CHECK(back == bytes);
  CHECK(host.Pread(fd.n, back.data(), back.size(), uint64_t{5} << 30) == 0);
  CHECK(host.Pread(fd.n, back.data(), back.size(), (uint64_t{5} << 30) - 10) == 10);
}

TEST_CASE("a durable write writes, or says that the host has none") {
  TempFile file(4096);
  Fd fd(host.Open(file.path(), Writing()));
  const auto bytes = Pattern(0, 512);
  const int64_t n = host.PwriteDurable(fd.n, bytes.data(), bytes.size(), 512);
  if (n >= 0) {
    CHECK(n == 512);
    CHECK(file.Read(512, 512) == bytes);
  } else {
    CHECK((n == -EOPNOTSUPP || n == -ENOSYS || n == -EINVAL));
  }
}

TEST_CASE("a read that must not wait gives the bytes, or says why not") {
  TempFile file(4096);
  file.Fill();
  Fd fd(host.Open(file.path(), {}));
  std::vector<uint8_t> back(512);
  const int64_t n = host.PreadNowait(fd.n, back.data(), back.size(), 1024);
  if (n >= 0) {
    CHECK(n == 512);
    CHECK(back == Pattern(1024, 512));
  } else {
    CHECK((n == -EAGAIN || n == -EOPNOTSUPP || n == -ENOSYS));
  }
}

TEST_CASE("B15: a mapping of a descriptor opened to read is not writable") {
  TempFile file(8192);
  file.Fill();
  Fd fd(host.Open(file.path(), {}));
  void* address = nullptr;
  CHECK(host.Mmap(fd.n, 0, 4096, MapMode::kReadWrite, &address) == -EACCES);
  REQUIRE(host.Mmap(fd.n, 4096, 4096, MapMode::kRead, &address) == 0);
  CHECK(std::memcmp(address, Pattern(4096, 4096).data(), 4096) == 0);
  unsigned char residency = 0;
  CHECK(host.Mincore(address, 4096, &residency) == 0);
  CHECK((residency & 1) == 1);
  CHECK(host.Munmap(address, 4096) == 0);
}

TEST_CASE("mapping: stores reach the file, sync takes whole pages, offsets are pages") {
  TempFile file(8192);
  Fd fd(host.Open(file.path(), Writing()));
  void* address = nullptr;
  CHECK(host.Mmap(fd.n, 512, 4096, MapMode::kReadWrite, &address) == -EINVAL);
  REQUIRE(host.Mmap(fd.n, 0, 8192, MapMode::kReadWrite, &address) == 0);
  auto* bytes = static_cast<uint8_t*>(address);
  bytes[5000] = 0x77;
  CHECK(host.Msync(bytes + 4096, 1000) == 0);
  CHECK(host.Msync(bytes + 5000, 1) == -EINVAL);  // why Mapping::Sync aligns (B32)
  CHECK(file.Read(5000, 1) == std::vector<uint8_t>{0x77});
  CHECK(host.Munmap(address, 8192) == 0);
}

TEST_CASE("a copy-on-write mapping takes stores on a descriptor opened to read, and keeps them to itself") {
  TempFile file(4096);
  file.Fill();
  Fd fd(host.Open(file.path(), {}));
  void* address = nullptr;
  REQUIRE(host.Mmap(fd.n, 0, 4096, MapMode::kCopyOnWrite, &address) == 0);
  auto* bytes = static_cast<uint8_t*>(address);
  CHECK(bytes[100] == test::PatternByte(100));
  bytes[100]++;
  CHECK(bytes[100] != test::PatternByte(100));
  CHECK(file.Read(0, 4096) == Pattern(0, 4096));
  CHECK(host.Munmap(address, 4096) == 0);
}

TEST_CASE("where data and holes begin") {
  TempFile file(1024 * 1024);
  Fd fd(PosixHostIo().Open(file.path(), Writing()));
  HostIo& host = PosixHostIo();
  CHECK(host.Pwrite(fd.n, "x", 1, 512 * 1024) == 1);
  const int64_t data = host.SeekData(fd.n, 0);
  CHECK(data >= 0);
  CHECK(data <= 512 * 1024);
  const int64_t hole = host.SeekHole(fd.n, 512 * 1024);
  CHECK(hole > 512 * 1024);
  CHECK(hole <= 1024 * 1024);
  CHECK(host.SeekData(fd.n, 1024 * 1024) == -ENXIO);
}

TEST_CASE("a file of no bytes that has some") {
  HostIo& host = PosixHostIo();
  Fd told(host.Open("/proc/self/status", {}));
  CHECK(host.HasContent(told.n) == 1);
  TempFile empty(0);
  Fd none(host.Open(empty.path(), {}));
  CHECK(host.HasContent(none.n) == 0);
}

TEST_CASE("locks belong to descriptors and to ranges") {
  TempFile file(8192);
  Fd a(host.Open(file.path(), Writing()));
  Fd b(host.Open(file.path(), Writing()));
  CHECK(host.Lock(a.n, LockKind::kExclusive, 0, 4096) == 0);
  CHECK(host.Lock(b.n, LockKind::kShared, 4095, 1) == -EAGAIN);
  HeldLock held;
  CHECK(host.TestLock(b.n, LockKind::kShared, 4095, 1, &held) == 1);
  CHECK(held.offset == 0);
  CHECK(held.size == 4096);
  CHECK(host.TestLock(b.n, LockKind::kExclusive, 4096, 0, &held) == 0);
  CHECK(host.TestLock(a.n, LockKind::kExclusive, 0, 4096, &held) == 0);  // its own
  CHECK(host.Lock(b.n, LockKind::kExclusive, 4096, 4096) == 0);
  CHECK(host.Lock(a.n, LockKind::kShared, 0, 4096) == 0);
  CHECK(host.Lock(b.n, LockKind::kShared, 0, 4096) == 0);
  CHECK(host.Lock(b.n, LockKind::kExclusive, 0, 4096) == -EAGAIN);
  CHECK(host.Lock(a.n, LockKind::kNone, 0, 4096) == 0);
  CHECK(host.Lock(b.n, LockKind::kExclusive, 0, 4096) == 0);
  CHECK(host.Close(b.n) == 0);
  b.n = -1;
  CHECK(host.Lock(a.n, LockKind::kExclusive, 0, 8192) == 0);  // closing drops the lock
}

TEST_CASE("B38: O_DIRECT reads with the alignment that the host names") {
  TempFile file(64 * 1024);
  file.Fill();
  OpenFlags flags;
  flags.direct = true;
  Fd plain(host.Open(file.path(), {}));
  Fd fd(host.Reopen(plain.n, file.path(), flags));
  if (fd.n == -EINVAL) SKIP("no O_DIRECT on the file system of " << file.path());
  REQUIRE(fd.n >= 0);
  CHECK((::fcntl(fd.n, F_GETFL) & O_DIRECT) != 0);
  DirectAlignment alignment;
  REQUIRE(host.AlignmentForDirect(fd.n, &alignment) == 0);
  if (alignment.offset == 0) SKIP("the host knows O_DIRECT but not for this file");
  CHECK((alignment.offset & (alignment.offset - 1)) == 0);
  CHECK((alignment.memory & (alignment.memory - 1)) == 0);
  CHECK(alignment.offset >= 512);
  CHECK(alignment.memory > 0);
  AlignedBuffer buffer(2 * alignment.offset);
  REQUIRE(host.Pread(fd.n, buffer.data(), alignment.offset, alignment.offset) == alignment.offset);
  CHECK(std::memcmp(buffer.data(), Pattern(alignment.offset, alignment.offset).data(), alignment.offset) == 0);
}

TEST_CASE("residency is told to who owns the file, and not to strangers who may only read it") {
  TempFile file(4096);
  Fd fd(host.Open(file.path(), {}));
  CHECK(host.TellsResidency(fd.n));
  if (::geteuid() != 0) SKIP("only root can look with another user's eyes");
  constexpr uid_t kNobody = 65534;
  REQUIRE(::seteuid(kNobody) == 0);
  const bool told = host.TellsResidency(fd.n);
  REQUIRE(::seteuid(0) == 0);
  CHECK_FALSE(told);
}

TEST_CASE("a page is a power of two") {
  CHECK(PageSize() >= 4096);
  CHECK((PageSize() & (PageSize() - 1)) == 0);
}

}  // namespace
}  // namespace blk
