// HostIo: the door to the host. Every system call on a host file or node is one virtual method here and is made in
// host_io_posix.cc alone (memory of our own, the SIGBUS handler and a look at /proc are made beside it); tests put
// another HostIo in its place to fail, count or delay any call. Methods are thin: one system call, no retry, no loop
// over short transfers (host/transfer_loop.h does that). Results are those of the call, or a negative errno.
// Thread-safe: implementations keep no state that calls share. Model: <rump/rumpuser.h>, the hypercalls of rumpblk.c
// r1.31.
#ifndef RUMPBLK_CORE_HOST_HOST_IO_H_
#define RUMPBLK_CORE_HOST_HOST_IO_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace blk {

class HostEngine;
class WaitingThreads;

enum class FileType : uint8_t { kRegular, kBlock, kCharacter, kOther };

struct FileInfo {
  FileType type = FileType::kOther;
  uint64_t device = 0;  // st_dev, or st_rdev of a node: what the identity of a node is made of
  uint64_t inode = 0;   // st_ino, or 0 for a node
  uint64_t size = 0;    // bytes, regular files only
};

// How Open() and Reopen() open; always close-on-exec, never a controlling terminal, never creating or cutting. The
// three that there are, so that no other flag of a caller reaches the host (B26).
struct OpenFlags {
  bool write = false;
  bool direct = false;     // O_DIRECT
  bool exclusive = false;  // O_EXCL without O_CREAT: sole opener of a block node
};

// What O_DIRECT asks of a request, in bytes; zero where the host cannot do it.
struct DirectAlignment {
  uint32_t memory = 0;
  uint32_t offset = 0;
};

// kRead and kReadWrite see and make the file's bytes; kCopyOnWrite sees them and keeps its stores to itself.
enum class MapMode : uint8_t { kRead, kReadWrite, kCopyOnWrite };

enum class Advice : uint8_t { kNormal, kRandom };

// Weakest first. kNone: drops what is held.
enum class LockKind : uint8_t { kNone, kShared, kExclusive };

// A lock that somebody has.
struct HeldLock {
  uint64_t offset = 0;
  uint64_t size = 0;  // 0 reaches to the end
};

// Whether discards give room back, and whether zeros are made without writing them.
struct HostFeatures {
  bool discard = false;
  bool zero = false;
};

// Each method: 0 or what is named below, or a negative errno. All may be called on any thread, with no lock of core
// held but where docs/internals.md says so. `fd` is an open descriptor of this host; it stays the caller's.
class HostIo {
 public:
  virtual ~HostIo() = default;

  // Opens what is there, waiting for nobody: not for the other end of a pipe either. -> descriptor, the caller's to
  // close.
  virtual int Open(const std::string& path, OpenFlags flags) = 0;
  // Opens again the very file behind `fd`, whatever its path names by now. -> descriptor, or -ESTALE.
  virtual int Reopen(int fd, const std::string& path, OpenFlags flags) = 0;
  // Makes an empty file that has no name, in `folder`, for reading and writing; it goes with its last descriptor.
  // -> descriptor, the caller's to close.
  virtual int OpenUnnamed(const std::string& folder) = 0;
  // Makes a file as long as `size`; what is new of it is a hole.
  virtual int Resize(int fd, uint64_t size) = 0;
  // The descriptor is gone whatever this answers: closing it again would close somebody else's.
  virtual int Close(int fd) = 0;

  // Fills in all of `info`.
  virtual int Stat(int fd, FileInfo* info) = 0;
  // The same by path, following links: opening a pipe or a socket to look at it would have effects.
  virtual int StatPath(const std::string& path, FileInfo* info) = 0;
  // Size of a node in bytes: what the block layer says, else where a seek to the end lands. -ESPIPE: cannot seek.
  virtual int64_t NodeSize(int fd, FileType type) = 0;
  // 1 when a block node refuses writes although it could be opened for them, 0 otherwise.
  virtual int NodeReadOnly(int fd) = 0;
  // 1 when the file has a byte, whatever size it says it has, as those of /proc, which say 0; 0 when it has none, or
  // none that can be had without waiting. REQUIRES: nobody else uses `fd` yet.
  virtual int HasContent(int fd) = 0;
  // What O_DIRECT on `fd` asks for; of a block node, `offset` is at least its sector.
  virtual int AlignmentForDirect(int fd, DirectAlignment* alignment) = 0;

  // -> bytes moved, which may be fewer than asked for; 0 at the end of the file.
  virtual int64_t Pread(int fd, void* data, size_t size, uint64_t offset) = 0;
  // The same for a write, which a full disk or a signal may cut short as well.
  virtual int64_t Pwrite(int fd, const void* data, size_t size, uint64_t offset) = 0;
  // Writes with per-call durability: what it moved is on the medium. -EOPNOTSUPP, -ENOSYS or -EINVAL where the host has
  // none.
  virtual int64_t PwriteDurable(int fd, const void* data, size_t size, uint64_t offset) = 0;
  // Reads only what is in memory. -EAGAIN: some of it is not; -EOPNOTSUPP or -ENOSYS: the host cannot tell.
  virtual int64_t PreadNowait(int fd, void* data, size_t size, uint64_t offset) = 0;
  // Makes all that was written to the file durable, by whichever descriptor. An error is told once (flush_state.h).
  virtual int Fdatasync(int fd) = 0;
  // Asks for [offset, offset + size) to be read into the page cache, as much of it as the host likes. Waits for none of
  // it.
  virtual int WillNeed(int fd, uint64_t offset, uint64_t size) = 0;
  // Where data begins at `offset` or behind it, and where a hole does, the end of the file being one. -ENXIO: there is
  // no data any more; -EINVAL and others: the host cannot tell.
  virtual int64_t SeekData(int fd, uint64_t offset) = 0;
  virtual int64_t SeekHole(int fd, uint64_t offset) = 0;
  // Copies from one file to another, or shares what the one has with the other until one of them is written: blocks, by
  // the host's choice; or shares in any case, of whole blocks, up to where `from` ends. -> bytes, which may be fewer; 0
  // at the end. -EXDEV, -EOPNOTSUPP, -EINVAL and others: the host cannot.
  virtual int64_t CopyRange(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size) = 0;
  virtual int CloneRange(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size) = 0;
  // Takes room on the host for [offset, offset + size); bytes and file size stay. -EOPNOTSUPP: the host cannot.
  virtual int Allocate(int fd, uint64_t offset, uint64_t size) = 0;
  // Makes [offset, offset + size) zeros, giving up the room for them, or keeping and taking it. The file never grows.
  // Of a node both are multiples of its sector. -EOPNOTSUPP, -EINVAL and others: the host cannot.
  virtual int PunchHole(int fd, uint64_t offset, uint64_t size) = 0;
  virtual int ZeroRange(int fd, uint64_t offset, uint64_t size) = 0;
  // Tells a block node that [offset, offset + size) is not needed any more; makes it zeros, by writing them if need be.
  // Both are multiples of its sector. -EOPNOTSUPP: the node cannot; -ENOTTY: it is none.
  virtual int NodeDiscard(int fd, uint64_t offset, uint64_t size) = 0;
  virtual int NodeZero(int fd, uint64_t offset, uint64_t size) = 0;
  // What a file or node can do of this, as far as that is known without trying.
  virtual HostFeatures Features(int fd) = 0;
  // Bytes that are freed at once: the block of a file, the discard granularity of a block node. 0: nobody can tell.
  virtual uint64_t Granule(int fd) = 0;

  // Maps [offset, offset + size); offset is a multiple of the page. Reads nothing yet. -> 0 and *address.
  virtual int Mmap(int fd, uint64_t offset, size_t size, MapMode mode, void** address) = 0;
  // Of a whole mapping. Stores through it are in the page cache, and stay.
  virtual int Munmap(void* address, size_t size) = 0;
  // Writes and waits. `address` is a multiple of the page (B32). Says nothing of pages that are none of the file's any
  // more.
  virtual int Msync(void* address, size_t size) = 0;
  // Says that [address, address + size) of a mapping is read here and there: a page that is not in memory is then read
  // alone, without megabytes around it; or that it is read in any way.
  virtual int Advise(void* address, size_t size, Advice advice) = 0;
  // Whether Mincore() of a mapping of this file tells the truth: it does to who owns the file or may write it.
  virtual bool TellsResidency(int fd) = 0;
  // Whether to read a hole of this file through a mapping takes room for it, as on tmpfs; a pread never does.
  virtual bool FillsHoles(int fd) = 0;
  // One byte a page, bit 0 set where the page is in memory. Of this moment: pages may leave before the answer is read.
  virtual int Mincore(void* address, size_t size, unsigned char* residency) = 0;

  // Pages that this thread has waited for, ever.
  virtual uint64_t MajorFaults() = 0;

  // A clock that runs, for durations.
  virtual int64_t Nanoseconds() = 0;
  // The same, in milliseconds, cheap and a few of them coarse. It wraps after 49 days: only differences count.
  virtual uint32_t CoarseMilliseconds() = 0;

  // Takes, changes or drops the open-file-description lock of `fd` on the range, without waiting.
  // -EAGAIN or -EACCES: somebody else has it. size 0 reaches to the end.
  virtual int Lock(int fd, LockKind kind, uint64_t offset, uint64_t size) = 0;
  // Looks whether Lock() would find the range locked by somebody else, and locks nothing. -> 1 and the first such lock,
  // or 0. Asks for no right to write.
  virtual int TestLock(int fd, LockKind kind, uint64_t offset, uint64_t size, HeldLock* held) = 0;
  // A process that has a lock in the way of this one, 0 where the host cannot tell (host/lock_holder.h; not one call
  // but many). `own`: descriptors whose locks are not in the way.
  virtual int LockHolder(int fd, LockKind kind, uint64_t offset, uint64_t size, const std::vector<int>& own) = 0;

  // An engine for transfers of this host's files; null where it has none. Asks the host nothing yet:
  // HostEngine::Ready() does. Throws what a `new` does.   REQUIRES: `threads` outlives it.
  virtual std::shared_ptr<HostEngine> MakeEngine(WaitingThreads& threads) {
    return static_cast<void>(threads), nullptr;
  }
};

// The real host. Stateless; one for all, for as long as the process lasts.
HostIo& PosixHostIo();

// Bytes of a memory page.
size_t PageSize();
// The most mappings that the host allows one process.
size_t MappingLimit();
// Bytes of address space that this process may take, as far as the host says so; RLIMIT_AS may change at any time.
uint64_t AddressSpaceLimit();

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_HOST_IO_H_
