// HostFile: the descriptors of one open and the loops that move bytes through them. Does not own the descriptors.
// Thread-safe: pread and pwrite carry their offset. Plain data, copied freely; valid while the open of the minor lasts.
// Model: rumpblk.c r1.31 lines 659-722, with O_DIRECT as a choice per request instead of per open (B38).
#ifndef RUMPBLK_CORE_MEDIUM_HOST_FILE_H_
#define RUMPBLK_CORE_MEDIUM_HOST_FILE_H_

#include <atomic>

#include "core/base/moved.h"
#include "core/base/units.h"
#include "core/host/host_io.h"

namespace blk {

struct HostFile {
  HostIo* host = nullptr;
  int fd = -1;
  int direct_fd = -1;         // the same file opened with O_DIRECT, or -1
  DirectAlignment alignment;  // what direct_fd asks for
  int exclusive_fd = -1;      // the same node, writable and opened as its only holder, or -1
  bool character = false;     // a character node: has no page cache that a sync could write

  // Read and write all of [offset, offset + size), however often the host has to be asked (B40).
  // With a direct_fd reads go through that alone, those that do not fit its alignment by way of aligned memory, so that
  // the bytes are the medium's; writes do where offset, size and memory fit. Where the host then refuses with EINVAL,
  // and otherwise, they go through fd: both are of one file, and the kernel keeps its page cache in step.
  // Errors: the host's · EIO the file ends before · ECANCELED.   What moved is a prefix.   Thread: any; they wait for
  // the disk.
  Moved ReadAll(void* data, size_t size, MediumOffset offset, const std::atomic<bool>* cancel) const;
  Moved WriteAll(const void* data, size_t size, MediumOffset offset, const std::atomic<bool>* cancel) const;

  // The same, and durable when it returns. EOPNOTSUPP, ENOSYS, EINVAL: the host has no such call; EPERM, EACCES: it
  // may be denied.
  Moved WriteAllDurable(const void* data, size_t size, MediumOffset offset, const std::atomic<bool>* cancel) const;
  // Reads all of it if that needs no disk. With nothing moved: EAGAIN, it would, as always with a direct_fd;
  // EOPNOTSUPP, the host cannot tell.
  Moved ReadNow(void* data, size_t size, MediumOffset offset) const;

  // EIO when a regular file ends before medium offset `end`. Of this moment: somebody else may cut it right after.
  Status CheckReaches(uint64_t end) const;

  // Why the host could not give the pages of a mapping at both ends of `lost`: ENOSPC when they can be read and there
  // is no room for them, else EIO. Never ok: the bytes are lost whatever holds by now.
  Status WhyLost(MediumSpan lost) const;

  // Makes what was written durable, by whichever descriptor. Errors: fdatasync's, which the host tells once, but for
  // EINTR, after which it may be asked again; EINVAL of a character node that has nothing to sync is ok.
  Status Sync() const;

  // Whether reads go past the page cache.
  bool HasDirect() const { return direct_fd >= 0 && alignment.offset != 0 && alignment.memory != 0; }
  // Whether a request may go through direct_fd as it is: each piece of it anew, since a short transfer may end
  // anywhere.
  bool FitsDirect(const void* data, size_t size, uint64_t offset) const;

 private:
  // The same for the page around `offset`.
  Status WhyPageLost(uint64_t offset) const;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_HOST_FILE_H_
