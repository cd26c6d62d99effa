// QemuLock: what QEMU's programs see of the opens of a host file, and the opens of what QEMU's programs do with it.
// They keep each other off by shared locks on single bytes of the file: byte 100 + n says "I use permission n", byte
// 200 + n "nobody else may use permission n"; whoever wants to join sets its own bytes first and looks for those of
// others then, so that of two that come at the same time at least one withdraws. The bytes are of the whole file,
// whatever range is used of it; which ranges our own opens have is another lock (kRangeLocks). Not thread-safe:
// HostMedium guards it. Model: raw_apply_lock_bytes and raw_check_lock_bytes of QEMU's block/file-posix.c, the
// permissions of its include/block/block-common.h.
#ifndef RUMPBLK_CORE_MEDIUM_QEMU_LOCK_H_
#define RUMPBLK_CORE_MEDIUM_QEMU_LOCK_H_

#include <cstdint>
#include <vector>

#include "core/base/status.h"
#include "core/host/host_io.h"

namespace blk {

// The lock on a range of a host file lies this many bytes behind the range, where no file has bytes and QEMU none of
// its own: 2^62, with room for every position of a device above it.
inline constexpr uint64_t kRangeLocks = uint64_t{1} << 62;

// Readers go together with QEMU's readers; a writer excludes QEMU's readers and writers, and is excluded by them. Of
// QEMU's programs those that share everything, qemu-io and `convert -U`, count as what they open the file for.
class QemuLock {
 public:
  // Bytes of a host file.
  struct Bytes {
    uint64_t begin = 0;
    uint64_t size = 0;
  };

  // Makes the bytes of `fd`, which can be read, say that the file is read, written, or neither, and looks whether
  // QEMU's programs agree; where they do not, the bytes say what they said before. Errors: EBUSY · the host's.
  Status Set(HostIo& host, int fd, LockKind kind);
  // What the bytes say. After an error of the host they may say more, until the next Set().
  LockKind kind() const { return kind_; }

  // A process of QEMU that is in the way of such an open, 0 where the host cannot tell. See HostIo::LockHolder().
  static int Holder(HostIo& host, int fd, LockKind kind, const std::vector<int>& own);

 private:
  Status Apply(HostIo& host, int fd, LockKind kind);
  static Status Check(HostIo& host, int fd, LockKind kind);

  LockKind kind_ = LockKind::kNone;
  bool unsettled_ = false;  // some bytes may not be as kind_ says
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_QEMU_LOCK_H_
