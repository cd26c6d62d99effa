// Minor: one slot of the table: which bytes of which host file are the device, the descriptors and the lock on them,
// the label, and what is not durable yet. Opens share it; it lives until it is deregistered and the last open is gone.
// Thread-safe. Lock order: mu_ is held across the system calls of the first open and the last close, which must not
// interleave (B19); FlushState's is taken inside it.
// Model: struct rblkdev and rumpblk_register, rumpblk.c r1.31 lines 98-117 and 374-429.
#ifndef RUMPBLK_CORE_DEVICE_MINOR_H_
#define RUMPBLK_CORE_DEVICE_MINOR_H_

#include <atomic>
#include <memory>
#include <string>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/device/options.h"
#include "core/host/host_io.h"
#include "core/host/unique_fd.h"
#include "core/io/flush_state.h"
#include "core/io/host_file.h"
#include "core/label/disk_label.h"

namespace blk {

inline constexpr int kPrivateMinor = -1;

class Minor {
 public:
  // Looks at the host file and takes a descriptor of it, which fixes its identity (B23). The minor is in no table yet.
  // Errors: EINVAL a directory, socket or pipe, a range outside the file or one that overflows, a node that does not
  // tell its size and was given none · EOVERFLOW larger than 2^53 - 1 bytes · ENOENT, EACCES and open(2)'s others.
  static Result<std::shared_ptr<Minor>> Create(HostIo& host, const std::string& path, const HostRange& range);
  Minor(const Minor&) = delete;
  Minor& operator=(const Minor&) = delete;

  // True when both stand for the same range of the same host file, whatever they were called (B21).
  bool SameAs(const Minor& other) const;

  // Gives the minor its place in the table and the label that goes with it. REQUIRES: not open, called once.
  void SetIndex(int index);

  // Takes part in the minor: opens what `options` need, takes or strengthens the lock. -> the descriptors to use.
  // Errors: ENXIO deregistered · EACCES, EROFS by mode · EBUSY another minor or process has the range · ESTALE.
  Result<HostFile> Acquire(const OpenOptions& options) EXCLUDES(mu_);
  // Who is in the way of such an open: a process with a lock, or 0 where the host cannot tell. Slow; asked after EBUSY.
  int LockHolder(OpenMode mode) EXCLUDES(mu_);
  // Ends what Acquire() began with the same options. The last one frees descriptors and lock, ends a sticky error, and
  // retires a private minor.
  // Errors: close(2)'s.
  Status Release(const OpenOptions& options) EXCLUDES(mu_);

  // Bars the minor from being opened again and lets go of the host file. Errors: EBUSY while open · ENXIO done before ·
  // close(2)'s.
  Status Retire();

  // EIO when the host file no longer reaches to the end of the range; what it lacks is noted as lost.
  Status CheckHostSize();

  int index() const { return index_; }
  const std::string& path() const { return path_; }
  FileType type() const { return type_; }
  uint64_t size() const { return size_; }
  HostOffset begin() const { return {offset_}; }
  const DiskLabel& label() const { return label_; }
  FlushState& flush() { return flush_; }
  HostIo& host() const { return host_; }
  uint32_t open_count() const { return opens_.load(std::memory_order_relaxed) & ~kRetired; }

 private:
  static constexpr uint32_t kRetired = uint32_t{1} << 31;

  Minor(HostIo& host, std::string path, UniqueFd fd, const FileInfo& info);

  // Counts an open in, which bars Retire(). -> false when retired.
  bool Enter();
  void Leave() { opens_.fetch_sub(1, std::memory_order_acq_rel); }
  Status SetRange(const HostRange& range, uint64_t file_size);
  Status OpenForWriting() REQUIRES(mu_);
  Status OpenDirect(bool write) REQUIRES(mu_);
  // Makes the lock, and the claim on a block node, fit the opens that want one; see the rules in minor.cc.
  Status AdjustLock() REQUIRES(mu_);
  Status Claim() REQUIRES(mu_);
  Status MoveLock() REQUIRES(mu_);
  Status LockWith(const UniqueFd& fd, LockKind kind) REQUIRES(mu_);
  Status CloseAll() REQUIRES(mu_);

  HostIo& host_;
  const std::string path_;
  const FileType type_;
  const uint64_t identity_device_;
  const uint64_t identity_inode_;
  int index_ = kPrivateMinor;
  uint64_t offset_ = 0;
  uint64_t size_ = 0;
  DiskLabel label_;
  FlushState flush_;

  std::atomic<uint32_t> opens_{0};  // with kRetired or'ed in once deregistered

  Mutex mu_;
  UniqueFd read_fd_;                   // from registration to Retire(); used only by opens, which bar that
  UniqueFd write_fd_ GUARDED_BY(mu_);  // from the first 'r+' open to the last close
  UniqueFd claim_fd_ GUARDED_BY(mu_);  // of a block node, while lock_writers_ > 0: O_EXCL, for nothing but that
  UniqueFd direct_read_fd_ GUARDED_BY(mu_);
  UniqueFd direct_write_fd_ GUARDED_BY(mu_);
  DirectAlignment alignment_ GUARDED_BY(mu_);
  uint32_t active_ GUARDED_BY(mu_) = 0;        // opens between Acquire() and Release()
  uint32_t lock_readers_ GUARDED_BY(mu_) = 0;  // of those, 'r' with lock
  uint32_t lock_writers_ GUARDED_BY(mu_) = 0;  // of those, 'r+' with lock
  LockKind locked_ GUARDED_BY(mu_) = LockKind::kNone;
  bool locked_by_writer_fd_ GUARDED_BY(mu_) = false;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_MINOR_H_
