#include "core/medium/host_file.h"

#include <algorithm>

#include "core/base/denied.h"
#include "core/host/copy.h"
#include "core/host/transfer_loop.h"

namespace blk {
namespace {

// Page-aligned memory on the stack, for reads into a destination that the kernel's copy is slow for: the detour through
// it and our own copy take a quarter of the time.
class Scratch {
 public:
  // Calls `read(memory, size)`, for `to` itself or for at most this much of it. -> what it answers.
  template <typename ReadFn>
  int64_t Read(uint8_t* to, size_t size, uint64_t offset, ReadFn&& read) {
    if (size < kWorthIt || !HasSlowAlignments() || !IsSlowForKernel(to, offset)) return read(to, size);
    const int64_t rc = read(memory_, std::min(size, sizeof memory_));
    if (rc > 0) CopyBytes(to, memory_, static_cast<size_t>(rc));
    return rc;
  }

  // The same through whole blocks of `grid` bytes around what is wanted: calls `read(memory, size, offset)` once, all
  // of which fit that grid. -> the bytes of `to` that it filled, at most this much; -EINVAL of a grid that is too wide.
  template <typename ReadFn>
  int64_t ReadBlocks(uint8_t* to, size_t size, uint64_t offset, uint32_t grid, ReadFn&& read) {
    const size_t skew = static_cast<size_t>(offset % grid);
    const size_t most = sizeof memory_ - sizeof memory_ % grid;
    if (most <= skew) return -EINVAL;
    size = std::min(size, most - skew);
    const int64_t rc = read(memory_, (skew + size + grid - 1) / grid * grid, offset - skew);
    if (rc < 0) return rc;
    // The file may end inside the last block.
    const size_t filled = static_cast<size_t>(rc) <= skew ? 0 : std::min(size, static_cast<size_t>(rc) - skew);
    CopyBytes(to, memory_ + skew, filled);
    return static_cast<int64_t>(filled);
  }

 private:
  static constexpr size_t kWorthIt = 2048;
  alignas(4096) uint8_t memory_[64 * 1024];
};

}  // namespace

bool HostFile::FitsDirect(const void* data, size_t size, uint64_t offset) const {
  if (!HasDirect()) return false;
  return offset % alignment.offset == 0 && size % alignment.offset == 0 &&
         reinterpret_cast<uintptr_t>(data) % alignment.memory == 0;
}

Moved HostFile::ReadNow(void* data, size_t size, MediumOffset offset) const {
  // What is in the page cache is not asked for: to look there would even make the kernel read ahead into it.
  if (HasDirect()) return {0, {EAGAIN, Op::kPread}};
  Scratch scratch;
  uint8_t* to = static_cast<uint8_t*>(data);
  for (size_t done = 0; done < size;) {
    const uint64_t at = offset.value + done;
    const size_t n = std::min<size_t>(size - done, kSegmentSize);
    const int64_t rc =
        scratch.Read(to + done, n, at, [&](void* p, size_t m) { return host->PreadNowait(fd, p, m, at); });
    if (rc == -EOPNOTSUPP || rc == -ENOSYS || MayBeDenied(static_cast<int>(-rc))) return {0, {EOPNOTSUPP, Op::kPread}};
    // Whatever else it is, the end of the file too: the read that may wait finds out and names it.
    if (rc <= 0) return {0, {EAGAIN, Op::kPread}};
    done += static_cast<size_t>(rc);
  }
  return {size, Status::Ok()};
}

Moved HostFile::ReadAll(void* data, size_t size, MediumOffset offset, const std::atomic<bool>* cancel) const {
  Scratch scratch;
  uint8_t* to = static_cast<uint8_t*>(data);
  return MoveAll(Op::kPread, size, cancel, [&](size_t done, size_t n) {
    const uint64_t at = offset.value + done;
    if (HasDirect()) {
      const auto read = [&](void* p, size_t m, uint64_t from) { return host->Pread(direct_fd, p, m, from); };
      const int64_t rc = FitsDirect(to + done, n, at) ? read(to + done, n, at)
                                                      : scratch.ReadBlocks(to + done, n, at, alignment.offset, read);
      // EINVAL in spite of the alignment: the file system wants more than it told.
      if (rc != -EINVAL) return rc;
    }
    return scratch.Read(to + done, n, at, [&](void* p, size_t m) { return host->Pread(fd, p, m, at); });
  });
}

Moved HostFile::WriteAll(const void* data, size_t size, MediumOffset offset, const std::atomic<bool>* cancel) const {
  const uint8_t* from = static_cast<const uint8_t*>(data);
  return MoveAll(Op::kPwrite, size, cancel, [&](size_t done, size_t n) {
    const uint64_t at = offset.value + done;
    if (FitsDirect(from + done, n, at)) {
      // Without a detour over aligned memory, which would write bytes around these that somebody else may be writing:
      // what does not fit goes through the page cache, and the kernel keeps both in step.
      const int64_t rc = host->Pwrite(direct_fd, from + done, n, at);
      if (rc != -EINVAL) return rc;
    }
    return host->Pwrite(fd, from + done, n, at);
  });
}

Moved HostFile::WriteAllDurable(const void* data, size_t size, MediumOffset offset,
                                const std::atomic<bool>* cancel) const {
  const uint8_t* from = static_cast<const uint8_t*>(data);
  return MoveAll(Op::kPwrite, size, cancel,
                 [&](size_t done, size_t n) { return host->PwriteDurable(fd, from + done, n, offset.value + done); });
}

Status HostFile::CheckReaches(uint64_t end) const {
  FileInfo info;
  const int rc = Uninterrupted([&] { return host->Stat(fd, &info); });
  if (rc < 0) return {-rc, Op::kStat};
  return info.type == FileType::kRegular && info.size < end ? Status{EIO, Op::kMsync} : Status::Ok();
}

Status HostFile::WhyLost(MediumSpan lost) const {
  if (CheckReaches(lost.end.value).ok()) {
    const Status first = WhyPageLost(lost.begin.value);
    return first.err == EIO ? WhyPageLost(lost.end.value - 1) : first;
  }
  return {EIO, Op::kMap};
}

// A page that can be read failed at the store: the host had no place for it, which it says again when asked for one.
Status HostFile::WhyPageLost(uint64_t offset) const {
  const uint64_t page = AlignDown(offset, PageSize());
  uint8_t byte;
  const Moved read = ReadAll(&byte, 1, {page}, nullptr);
  if (!read.status.ok()) return {EIO, Op::kMap};
  const int rc = Uninterrupted([&] { return host->Allocate(fd, page, PageSize()); });
  // No room is no room, whoever counts it.
  return {rc == -ENOSPC || rc == -EDQUOT ? ENOSPC : EIO, Op::kMap};
}

Status HostFile::Sync() const {
  // The ordinary descriptor covers what went through direct_fd: it is the same file.
  const int rc = Uninterrupted([&] { return host->Fdatasync(fd); });
  if (rc == 0 || (character && rc == -EINVAL)) return Status::Ok();
  return {-rc, Op::kFdatasync};
}

}  // namespace blk
