// HostMedium: a host file or a node: which one it is, the descriptors that its opens share, and the locks on it: on the
// ranges in use, the bytes that QEMU's programs look at, and the claim on a block node.
// Thread-safe. Lock order: mu_ is held across the system calls of the first open and the last close, which must not
// interleave (B19).
// Model: rumpblk_register and the host half of rumpblk_open, rumpblk.c r1.31 lines 374-456.
#ifndef RUMPBLK_CORE_MEDIUM_HOST_MEDIUM_H_
#define RUMPBLK_CORE_MEDIUM_HOST_MEDIUM_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/host/host_engine.h"
#include "core/host/host_io.h"
#include "core/host/unique_fd.h"
#include "core/medium/host_file.h"
#include "core/medium/host_holes.h"
#include "core/medium/medium.h"
#include "core/medium/qemu_lock.h"
#include "core/medium/range_locks.h"

namespace blk {

class HostMedium final : public Medium {
 public:
  // Looks at the host file and takes a descriptor of it, which fixes its identity (B23). `host` outlives it. Its
  // channels start transfers by `engine`, where there is one.
  // Errors: EINVAL a directory, socket or pipe, a node that cannot seek · ENOENT, EACCES and open(2)'s others.
  // Thread: any; it may wait for the host.
  static Result<std::unique_ptr<HostMedium>> Create(HostIo& host, const std::string& path,
                                                    std::shared_ptr<HostEngine> engine = nullptr);

  const std::string& name() const override { return path_; }
  MediumIdentity identity() const override { return identity_; }
  std::optional<uint64_t> size() const override { return size_; }
  uint64_t sector_size() const override;
  // Of a node what it said first: only files are cut.
  Result<uint64_t> SizeNow() override;
  Status Read(MediumOffset at, void* data, size_t size) override;
  Result<std::unique_ptr<Channel>> Attach(const Attachment& wanted) override EXCLUDES(mu_);
  Status Detach(const Attachment& wanted) override EXCLUDES(mu_);
  int Holder(const Attachment& wanted) override EXCLUDES(mu_);
  Result<std::unique_ptr<Medium>> Again() override;
  Status Close() override { return read_fd_.Close(); }

 private:
  HostMedium(HostIo& host, std::string path, UniqueFd fd, const FileInfo& info, std::optional<uint64_t> size);

  // Of the file behind `fd`, once it is open.
  static Result<std::unique_ptr<HostMedium>> Of(HostIo& host, const std::string& path, UniqueFd fd);

  bool is_block() const { return identity_.kind == MediumKind::kBlock; }
  static LockKind KindOf(const Attachment& wanted) { return wanted.write ? LockKind::kExclusive : LockKind::kShared; }
  static RangeLocks::Range RangeOf(const Attachment& wanted) {
    return {wanted.range.begin.value, wanted.range.end.value};
  }
  // Those that its lock may lie on, the reader's first.
  std::vector<int> Descriptors() EXCLUDES(mu_);
  // One more descriptor of the host file. -> it, or a negative errno.
  int Reopen(OpenFlags flags);
  // Opens the descriptor that writers share, if it is not open. Errors: EROFS a node that refuses writes · open(2)'s.
  Status OpenForWriting() REQUIRES(mu_);
  // The same for O_DIRECT, by mode; leaves it closed where the host has none.
  Status OpenDirect(bool write) REQUIRES(mu_);
  // Makes the locks, and the claim on a block node, fit the opens that want one; see the rules in host_medium.cc.
  Status AdjustLock() REQUIRES(mu_);
  // Counts in an open that wants a lock. Errors: those of AdjustLock() · ENOMEM.
  Status TakeLock(RangeLocks::Range range, LockKind kind) REQUIRES(mu_);
  // Takes a block node for this medium alone, O_EXCL. Errors: EBUSY.
  Status Claim() REQUIRES(mu_);
  // Makes all of the lock as locks_ wants it; goes on after a failure. Errors: the first one's.
  Status MoveLock() REQUIRES(mu_);
  Status MoveLock(const RangeLocks::Change& change) REQUIRES(mu_);
  Status LockWith(const RangeLocks::Change& change, LockKind kind, bool on_writer) REQUIRES(mu_);
  // Closes all but read_fd_. Errors: the first one's.
  Status CloseAll() REQUIRES(mu_);

  HostIo& host_;
  std::shared_ptr<HostEngine> engine_;  // fixed once it is made
  const std::string path_;
  const MediumIdentity identity_;
  const std::optional<uint64_t> size_;
  HostHoles holes_;
  // From Create() to Close(), which nobody calls while it is used.
  UniqueFd read_fd_;

  Mutex mu_;
  UniqueFd write_fd_ GUARDED_BY(mu_);  // from the first open that writes to the last Detach()
  UniqueFd claim_fd_ GUARDED_BY(mu_);  // of a block node, while a writer has a lock: O_EXCL, also for its holes
  UniqueFd direct_read_fd_ GUARDED_BY(mu_);
  UniqueFd direct_write_fd_ GUARDED_BY(mu_);
  DirectAlignment alignment_ GUARDED_BY(mu_);
  uint32_t attached_ GUARDED_BY(mu_) = 0;
  RangeLocks locks_ GUARDED_BY(mu_);  // of those with a lock
  QemuLock qemu_ GUARDED_BY(mu_);     // of the same, on read_fd_
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_HOST_MEDIUM_H_
