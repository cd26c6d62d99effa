// The real host: the one file of core with file system calls, but for those of lock_holder.cc. Each method makes one
// call and turns errno into a negative result; nothing here decides anything.
// Over 300 lines: one method for each of HostIo.
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "core/host/host_io.h"
#include "core/host/lock_holder.h"
#include "core/host/ring_engine.h"

namespace blk {
namespace {

template <typename T>
T OrErrno(T rc) {
  return rc < 0 ? static_cast<T>(-errno) : rc;
}

// `struct statx` of the kernel, as far as it is read here. musl has statx(), preadv2() and pwritev2() since 1.2.5
// (2024) alone, and a C library's struct may be older than the kernel that answers: these calls are made by their
// numbers.
struct KernelStatx {
  uint32_t mask;
  uint8_t others[24];
  uint16_t mode;
  uint64_t inode;
  uint64_t size;
  uint8_t blocks_and_times[80];
  uint32_t rdev_major, rdev_minor;
  uint32_t dev_major, dev_minor;
  uint64_t mount;
  uint32_t dio_memory;
  uint32_t dio_offset;
  uint8_t behind[96];
};
static_assert(offsetof(KernelStatx, mode) == 28 && offsetof(KernelStatx, size) == 40 &&
              offsetof(KernelStatx, rdev_major) == 128 && offsetof(KernelStatx, dio_memory) == 152 &&
              sizeof(KernelStatx) == 256);
constexpr unsigned kStatxDioAlign = 0x2000;
// What a file is, and not when it was changed: from Linux 6.13 on a look at the times makes the next write give the
// file new ones, which the sync behind it then writes as well.
constexpr unsigned kStatxIdentity = 0x1 | 0x2 | 0x100 | 0x200;  // type, mode, inode, size

// preadv2() or pwritev2() of one buffer. -> bytes moved or -errno; -EOPNOTSUPP where the kernel lacks the call.
int64_t VectorCall(long number, int fd, const struct iovec& iov, uint64_t offset, int flags) {
  // The kernel takes the position in two longs, and on 64 bits looks at the first alone.
  const long low = static_cast<long>(offset), high = static_cast<long>(offset >> 32);
  const int64_t moved = ::syscall(number, fd, &iov, 1, low, high, flags);
  if (moved >= 0) return moved;
  return errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

FileType TypeOf(mode_t mode) {
  if (S_ISREG(mode)) return FileType::kRegular;
  if (S_ISBLK(mode)) return FileType::kBlock;
  if (S_ISCHR(mode)) return FileType::kCharacter;
  return FileType::kOther;
}

void Fill(const struct stat& st, FileInfo* info) {
  info->type = TypeOf(st.st_mode);
  // A node is the device it stands for, wherever its name lies.
  const bool node = info->type == FileType::kBlock || info->type == FileType::kCharacter;
  info->device = node ? st.st_rdev : st.st_dev;
  info->inode = node ? 0 : st.st_ino;
  info->size = info->type == FileType::kRegular ? static_cast<uint64_t>(st.st_size) : 0;
}

int ToPosix(OpenFlags flags) {
  int posix = (flags.write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY;
  if (flags.direct) posix |= O_DIRECT;
  if (flags.exclusive) posix |= O_EXCL;
  return posix;
}

struct flock ToFlock(LockKind kind, uint64_t offset, uint64_t size) {
  struct flock lock = {};
  // Casts from int, the type of the constants, to that of the field; and from positions below 2^63 to off_t.
  lock.l_type = static_cast<short>(kind == LockKind::kShared      ? F_RDLCK
                                   : kind == LockKind::kExclusive ? F_WRLCK
                                                                  : F_UNLCK);
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(offset);
  lock.l_len = static_cast<off_t>(size);
  return lock;
}

// The name under which the system shows the file behind a descriptor.
const char* FdLink(int fd, char (&link)[32]) {
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  return link;
}

// The number that a file of /proc or /sys begins with; 0 where there is none.
uint64_t NumberIn(const char* path) {
  char text[24] = {};
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t length = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  return length > 0 ? std::strtoull(text, nullptr, 10) : 0;
}

// What the queue of a block node says under this name; 0 where it says nothing.
uint64_t QueueNumber(dev_t node, const char* name) {
  // Of a partition the queue is that of its disk, one folder up.
  for (const char* folder : {"", "/.."}) {
    char path[96];
    std::snprintf(path, sizeof path, "/sys/dev/block/%u:%u%s/queue/%s", major(node), minor(node), folder, name);
    const uint64_t number = NumberIn(path);
    if (number != 0) return number;
  }
  return 0;
}

class Posix final : public HostIo {
 public:
  int Open(const std::string& path, OpenFlags flags) override {
    // O_NONBLOCK for the open alone: a pipe put in the place of a file after StatPath must not hold the thread.
    const int posix = ToPosix(flags);
    const int fd = OrErrno(::open(path.c_str(), posix | O_NONBLOCK));
    if (fd < 0 || ::fcntl(fd, F_SETFL, posix & O_DIRECT) == 0) return fd;
    const int err = errno;
    static_cast<void>(::close(fd));  // opened a moment ago, nothing written
    return -err;
  }

  int Reopen(int fd, const std::string& path, OpenFlags flags) override {
    char link[32];
    // Opening the link opens the file that it stands for, also after a rename or an unlink (B23).
    int again = OrErrno(::open(FdLink(fd, link), ToPosix(flags)));
    if (again != -ENOENT) return again;
    // No /proc here: by path, and only if that still names the same file.
    again = Open(path, flags);
    if (again < 0) return again;
    struct stat old_st, new_st;
    if (::fstat(fd, &old_st) == 0 && ::fstat(again, &new_st) == 0 && old_st.st_dev == new_st.st_dev &&
        old_st.st_ino == new_st.st_ino) {
      return again;
    }
    static_cast<void>(::close(again));  // opened a moment ago, nothing written
    return -ESTALE;
  }

  int OpenUnnamed(const std::string& folder) override {
    const int fd = OrErrno(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    // A file system without such files, and a kernel without the flag.
    if (fd != -EOPNOTSUPP && fd != -EISDIR && fd != -EINVAL) return fd;
    std::string path = folder + "/rumpblk-XXXXXX";
    const int named = OrErrno(::mkostemp(path.data(), O_CLOEXEC));
    if (named >= 0) static_cast<void>(::unlink(path.c_str()));  // else it keeps a name, and is as good
    return named;
  }

  int Resize(int fd, uint64_t size) override { return OrErrno(::ftruncate(fd, static_cast<off_t>(size))); }

  int Close(int fd) override { return OrErrno(::close(fd)); }

  int Stat(int fd, FileInfo* info) override {
    KernelStatx found = {};
    struct stat st = {};
    if (::syscall(SYS_statx, fd, "", AT_EMPTY_PATH, kStatxIdentity, &found) == 0 &&
        (found.mask & kStatxIdentity) == kStatxIdentity) {
      st.st_mode = found.mode;
      st.st_ino = found.inode;
      st.st_size = static_cast<off_t>(found.size);
      st.st_dev = makedev(found.dev_major, found.dev_minor);
      st.st_rdev = makedev(found.rdev_major, found.rdev_minor);
    } else if (::fstat(fd, &st) < 0) {  // where the other one is denied, or told of less
      return -errno;
    }
    Fill(st, info);
    return 0;
  }

  int StatPath(const std::string& path, FileInfo* info) override {
    struct stat st;
    if (::stat(path.c_str(), &st) < 0) return -errno;
    Fill(st, info);
    return 0;
  }

  int64_t NodeSize(int fd, FileType type) override {
    uint64_t bytes = 0;
    if (type == FileType::kBlock && ::ioctl(fd, BLKGETSIZE64, &bytes) == 0) return static_cast<int64_t>(bytes);
    // The cursor that this moves is nobody's: all reads and writes carry their offset.
    return OrErrno(static_cast<int64_t>(::lseek(fd, 0, SEEK_END)));
  }

  int NodeReadOnly(int fd) override {
    int read_only = 0;
    if (::ioctl(fd, BLKROGET, &read_only) < 0) return -errno;
    return read_only != 0;
  }

  int HasContent(int fd) override {
    // Some, such as /proc/kmsg, would wait for the next byte.
    if (::fcntl(fd, F_SETFL, O_NONBLOCK) < 0) return -errno;
    char byte = 0;
    const bool has = ::pread(fd, &byte, 1, 0) == 1;
    return ::fcntl(fd, F_SETFL, 0) < 0 ? -errno : has;
  }

  int AlignmentForDirect(int fd, DirectAlignment* alignment) override {
    KernelStatx found = {};
    // Where the call is missing or denied, a sector or a page is right as well.
    if (::syscall(SYS_statx, fd, "", AT_EMPTY_PATH, kStatxDioAlign, &found) == 0 &&
        (found.mask & kStatxDioAlign) != 0) {
      *alignment = {found.dio_memory, found.dio_offset};
      return 0;
    }
    int sector = 0;
    const bool node = ::ioctl(fd, BLKSSZGET, &sector) == 0;
    const uint32_t unit = node ? static_cast<uint32_t>(sector) : static_cast<uint32_t>(PageSize());
    *alignment = {unit, unit};
    return 0;
  }

  int64_t Pread(int fd, void* data, size_t size, uint64_t offset) override {
    return OrErrno(static_cast<int64_t>(::pread(fd, data, size, static_cast<off_t>(offset))));
  }

  int64_t Pwrite(int fd, const void* data, size_t size, uint64_t offset) override {
    return OrErrno(static_cast<int64_t>(::pwrite(fd, data, size, static_cast<off_t>(offset))));
  }

  int64_t PwriteDurable(int fd, const void* data, size_t size, uint64_t offset) override {
    // The cast: an iovec serves reads as well; a write only reads from it.
    struct iovec iov = {const_cast<void*>(data), size};
    return VectorCall(SYS_pwritev2, fd, iov, offset, RWF_DSYNC);
  }

  int64_t PreadNowait(int fd, void* data, size_t size, uint64_t offset) override {
    struct iovec iov = {data, size};
    return VectorCall(SYS_preadv2, fd, iov, offset, RWF_NOWAIT);
  }

  int Fdatasync(int fd) override { return OrErrno(::fdatasync(fd)); }
  int WillNeed(int fd, uint64_t offset, uint64_t size) override {
    return -::posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_WILLNEED);
  }
  // The cursor that these move is nobody's, as in NodeSize().
  int64_t SeekData(int fd, uint64_t offset) override {
    return OrErrno(static_cast<int64_t>(::lseek(fd, static_cast<off_t>(offset), SEEK_DATA)));
  }
  int64_t SeekHole(int fd, uint64_t offset) override {
    return OrErrno(static_cast<int64_t>(::lseek(fd, static_cast<off_t>(offset), SEEK_HOLE)));
  }
  int64_t CopyRange(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size) override {
    auto from_at = static_cast<loff_t>(from_offset), to_at = static_cast<loff_t>(to_offset);
    return OrErrno(static_cast<int64_t>(::copy_file_range(from, &from_at, to, &to_at, size, 0)));
  }
  int CloneRange(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size) override {
    struct file_clone_range range = {};
    range.src_fd = from;
    range.src_offset = from_offset;
    range.src_length = size;
    range.dest_offset = to_offset;
    return OrErrno(::ioctl(to, FICLONERANGE, &range));
  }
  int Allocate(int fd, uint64_t offset, uint64_t size) override {
    return OrErrno(::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(size)));
  }
  int PunchHole(int fd, uint64_t offset, uint64_t size) override {
    return OrErrno(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                               static_cast<off_t>(size)));
  }
  int ZeroRange(int fd, uint64_t offset, uint64_t size) override {
    return OrErrno(::fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                               static_cast<off_t>(size)));
  }
  int NodeDiscard(int fd, uint64_t offset, uint64_t size) override {
    uint64_t range[2] = {offset, size};
    return OrErrno(::ioctl(fd, BLKDISCARD, range));
  }
  int NodeZero(int fd, uint64_t offset, uint64_t size) override {
    uint64_t range[2] = {offset, size};
    return OrErrno(::ioctl(fd, BLKZEROOUT, range));
  }
  HostFeatures Features(int fd) override {
    struct stat st;
    struct statfs fs;
    if (::fstat(fd, &st) < 0 || ::fstatfs(fd, &fs) < 0) return {};
    if (S_ISBLK(st.st_mode)) {
      return {QueueNumber(st.st_rdev, "discard_max_bytes") > 0, QueueNumber(st.st_rdev, "write_zeroes_max_bytes") > 0};
    }
    switch (fs.f_type) {
      // Those whose fallocate(2) punches holes.
      case EXT4_SUPER_MAGIC:
      case XFS_SUPER_MAGIC:
      case BTRFS_SUPER_MAGIC:
      case F2FS_SUPER_MAGIC:
      case OVERLAYFS_SUPER_MAGIC:
      case TMPFS_MAGIC: return {true, true};
      default: return {};
    }
  }
  uint64_t Granule(int fd) override {
    struct stat st;
    if (::fstat(fd, &st) < 0) return 0;
    if (!S_ISBLK(st.st_mode)) return static_cast<uint64_t>(st.st_blksize);
    return QueueNumber(st.st_rdev, "discard_granularity");
  }

  int Mmap(int fd, uint64_t offset, size_t size, MapMode mode, void** address) override {
    const int protection = PROT_READ | (mode == MapMode::kRead ? 0 : PROT_WRITE);
    const int sharing = mode == MapMode::kCopyOnWrite ? MAP_PRIVATE : MAP_SHARED;
    void* mapped = ::mmap(nullptr, size, protection, sharing, fd, static_cast<off_t>(offset));
    if (mapped == MAP_FAILED) return -errno;
    *address = mapped;
    return 0;
  }

  int Munmap(void* address, size_t size) override { return OrErrno(::munmap(address, size)); }
  int Msync(void* address, size_t size) override { return OrErrno(::msync(address, size, MS_SYNC)); }
  int Advise(void* address, size_t size, Advice advice) override {
    return OrErrno(::madvise(address, size, advice == Advice::kRandom ? MADV_RANDOM : MADV_NORMAL));
  }
  uint64_t MajorFaults() override {
    struct rusage usage = {};
    static_cast<void>(::getrusage(RUSAGE_THREAD, &usage));  // fails only for a kind that does not exist
    return static_cast<uint64_t>(usage.ru_majflt);
  }
  // The kernel's own test in mincore(2), which answers "all in memory" to everybody else instead of an error.
  bool TellsResidency(int fd) override {
    struct stat st;
    if (::geteuid() == 0 || (::fstat(fd, &st) == 0 && st.st_uid == ::geteuid())) return true;
    char link[32];
    return ::faccessat(AT_FDCWD, FdLink(fd, link), W_OK, AT_EACCESS) == 0;
  }
  bool FillsHoles(int fd) override {
    struct statfs fs;
    return ::fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC);
  }
  int Mincore(void* address, size_t size, unsigned char* residency) override {
    return OrErrno(::mincore(address, size, residency));
  }

  int64_t Nanoseconds() override {
    struct timespec now = {};
    static_cast<void>(::clock_gettime(CLOCK_MONOTONIC, &now));  // fails only for a clock that does not exist
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  }
  uint32_t CoarseMilliseconds() override {
    struct timespec now = {};
    static_cast<void>(::clock_gettime(CLOCK_MONOTONIC_COARSE, &now));  // fails only for a clock that does not exist
    return static_cast<uint32_t>(now.tv_sec * 1000 + now.tv_nsec / 1'000'000);
  }

  int Lock(int fd, LockKind kind, uint64_t offset, uint64_t size) override {
    struct flock lock = ToFlock(kind, offset, size);
    return OrErrno(::fcntl(fd, F_OFD_SETLK, &lock));
  }
  int TestLock(int fd, LockKind kind, uint64_t offset, uint64_t size, HeldLock* held) override {
    struct flock lock = ToFlock(kind, offset, size);
    if (::fcntl(fd, F_OFD_GETLK, &lock) < 0) return -errno;
    *held = {static_cast<uint64_t>(lock.l_start), static_cast<uint64_t>(lock.l_len)};
    return lock.l_type != F_UNLCK;
  }
  int LockHolder(int fd, LockKind kind, uint64_t offset, uint64_t size, const std::vector<int>& own) override {
    return FindLockHolder(fd, kind, offset, size, own);
  }

  std::shared_ptr<HostEngine> MakeEngine(WaitingThreads& threads) override {
    return std::make_shared<RingEngine>(threads);
  }
};

}  // namespace

HostIo& PosixHostIo() {
  // Without state, so nothing of it is mutable, and its destruction at the end of the process harms nobody.
  static Posix host;
  return host;
}

size_t MappingLimit() {
  constexpr size_t kUsual = 65530;  // DEFAULT_MAX_MAP_COUNT of Linux
  const uint64_t limit = NumberIn("/proc/sys/vm/max_map_count");
  return limit == 0 ? kUsual : static_cast<size_t>(limit);
}

uint64_t AddressSpaceLimit() {
  constexpr uint64_t kWhole = uint64_t{1} << 47;  // of a process on x64
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kWhole;
  return limit.rlim_cur < kWhole ? limit.rlim_cur : kWhole;
}

size_t PageSize() {
  // Asked once: it does not change while the process lives.
  static const size_t size = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

}  // namespace blk
