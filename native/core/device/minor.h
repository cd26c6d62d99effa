// Minor: one slot of the table: which bytes of which host file are the device, the descriptors and the lock on them,
// the label, and what is not durable yet. Opens share it; it lives until it is deregistered and the last open is gone.
// A partition is a minor as well: a range of another minor, its disk, whose descriptors, lock and dirt it shares, so
// that the two never lock each other out and a failed sync is told to both.
// Thread-safe. Lock order: mu_ is held across the system calls of the first open and the last close, which must not
// interleave (B19); FlushState's is taken inside it.
// Model: struct rblkdev and rumpblk_register, rumpblk.c r1.31 lines 98-117 and 374-429.
#ifndef RUMPBLK_CORE_DEVICE_MINOR_H_
#define RUMPBLK_CORE_DEVICE_MINOR_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/device/label_state.h"
#include "core/device/options.h"
#include "core/device/qemu_lock.h"
#include "core/device/range_locks.h"
#include "core/host/host_io.h"
#include "core/host/unique_fd.h"
#include "core/label/disk_label.h"
#include "core/label/partition_table.h"
#include "core/medium/host_file.h"
#include "core/request/flush_state.h"

namespace blk {

// The index of a minor in no table.
inline constexpr int kPrivateMinor = -1;

// What a table says of a partition, apart from what it holds.
struct PartitionSpot {
  std::string name;    // as in PartitionEntry
  uint64_t start = 0;  // bytes from the start of the disk
  uint64_t size = 0;   // bytes
  Scheme scheme = Scheme::kBsd;
  uint32_t index = 0;                     // in its table
  uint8_t type = 0;                       // of bsd, mbr, ebr and sun
  BsdFlavor flavor = BsdFlavor::kNetBsd;  // of bsd
  Guid type_guid;                         // of gpt
  Guid uuid;                              // of gpt
  std::u16string label;
};
// What `table` says of `entry`, which is one of its own.
PartitionSpot SpotOf(const PartitionTable& table, const PartitionEntry& entry);

class Minor {
 public:
  // Looks at the host file and takes a descriptor of it, which fixes its identity (B23). The minor is in no table yet.
  // `host` outlives it.
  // Units: bytes; no size means to the end of the file (B1).
  // Errors: EINVAL a directory, socket or pipe, a range outside the file or one that overflows (B22), a node that does
  // not tell its size and was given none · EOVERFLOW larger than 2^53 - 1 bytes · ENOENT, EACCES and open(2)'s others.
  // Thread: any; it may wait for the host.
  static Result<std::shared_ptr<Minor>> Create(HostIo& host, const std::string& path, const HostRange& range);
  // Makes the minor of a partition of `of`, by what its tables say now; `of` may be a partition that holds others. It
  // is in no table yet, and its disk cannot be retired before it. Errors: ENXIO no such partition, or the disk is
  // retired · EINVAL it does not lie inside the disk, or inside what contains it · the host's.
  static Result<std::shared_ptr<Minor>> CreatePartition(const std::shared_ptr<Minor>& of, const std::string& name);
  // The same for all of them that can become devices, by WedgeSpots(), from one look at the tables; of a partition
  // those that it holds. Errors: ENXIO the disk is retired · the host's.
  static Result<std::vector<std::shared_ptr<Minor>>> CreatePartitions(const std::shared_ptr<Minor>& of);
  // A partition that was not retired leaves its disk, and ends the hold on it. Closes what is open.
  ~Minor();
  Minor(const Minor&) = delete;
  Minor& operator=(const Minor&) = delete;

  // True when both stand for the same range of the same host file, whatever the file was called (B21); of partitions,
  // when they are the same one of the same disk.
  bool SameAs(const Minor& other) const;

  // Gives the minor its place in the table and the label that goes with it. REQUIRES: not open, called once, and before
  // anybody else can see it.
  void SetIndex(int index);

  // Takes part in the minor: opens what `options` need, takes or strengthens the lock. -> the descriptors to use, until
  // Release(). After a failure nothing of it is left.
  // Errors: ENXIO deregistered · EACCES, EROFS by mode · EBUSY another minor or process has the range · ESTALE.
  Result<HostFile> Acquire(const OpenOptions& options) EXCLUDES(mu_);
  // Who is in the way of such an open: a process with a lock, or 0 where the host cannot tell. Slow; asked after EBUSY.
  int LockHolder(OpenMode mode) EXCLUDES(mu_);
  // Ends what Acquire() began with the same options. The last one frees descriptors and lock, ends a sticky error, and
  // retires a private minor, with the disk that it is a partition of.
  // Errors: close(2)'s, and the lock's; everything is freed all the same (B18).
  Status Release(const OpenOptions& options) EXCLUDES(mu_);

  // Bars the minor from being opened again and lets go of the host file. Errors: EBUSY while it is open or a partition
  // of it is registered · ENXIO done before · close(2)'s.   Against an open at the same time, one of the two wins.
  Status Retire();

  // EIO when the host file no longer reaches to the end of the range (B34); what it lacks is noted as lost.
  // Thread: any.   REQUIRES: it is open.
  Status CheckHostSize();

  // Fixed once the minor is in the table, or open; no lock.
  int index() const { return index_; }
  // As it was given at registration. For people: the file behind it is known by its descriptor.
  const std::string& path() const { return path_; }
  // What the host file is. kOther never gets this far.
  FileType type() const { return type_; }
  // Bytes of the device, and where it begins in the host file. Neither changes, whatever becomes of the file.
  uint64_t size() const { return size_; }
  HostOffset begin() const { return {offset_}; }
  // Whether the host told how large the file is; of one that does not, the size is the caller's word.
  bool size_told() const { return disk().size_told_; }
  // Which host file it is, whatever it is called: st_dev and st_ino, of a node st_rdev and 0 (B21).
  uint64_t identity_device() const { return identity_device_; }
  uint64_t identity_inode() const { return identity_inode_; }
  // The default label: what the minor is taken for when its medium has none.
  const DiskLabel& label() const { return label_; }
  // Of a disk.
  LabelState& label_state() { return label_state_; }
  const LabelState& label_state() const { return label_state_; }
  // That of the disk, so that a sync that fails is told on every partition of it.
  FlushState& flush() { return disk().flush_; }
  // The door to the host that it came through.
  HostIo& host() const { return host_; }
  // The cast drops what stands above the opens. Relaxed: a number to look at, which may have changed by then.
  uint32_t open_count() const { return static_cast<uint32_t>(uses_.load(std::memory_order_relaxed)); }

  // The disk that a partition is part of; a minor that is no partition is its own disk.
  Minor& disk() { return disk_ ? *disk_ : *this; }
  const Minor& disk() const { return disk_ ? *disk_ : *this; }
  // Null for a minor that is no partition.
  const PartitionSpot* partition() const { return disk_ ? &spot_ : nullptr; }

  // Reads [position, position + size), which lies inside the minor, from the host file, past the strategies: for who
  // looks at tables. Errors: the host's. REQUIRES: the minor cannot be retired meanwhile: it is open, or Hold() was
  // called.
  Status ReadHost(uint64_t position, uint8_t* data, size_t size) const;
  // What tables count in: the sectors that the registration named, else what a block node calls a sector, 512 bytes for
  // everything else and where the host cannot tell.
  uint64_t MediumSectorSize() const;
  // Bars Retire() until Unhold(), which each Hold() needs. Errors: ENXIO retired.
  Status Hold();
  void Unhold();

 private:
  // One word, so that one exchange decides between an open, a hold and the end: the lower half counts opens, above it
  // partitions and holds, which an open count does not show; kRetired once deregistered, for good.
  static constexpr uint64_t kHold = uint64_t{1} << 32;
  static constexpr uint64_t kRetired = uint64_t{1} << 63;

  Minor(HostIo& host, std::string path, UniqueFd fd, const FileInfo& info);
  Minor(std::shared_ptr<Minor> disk, PartitionSpot spot);

  // Counts `use` in, which bars Retire(). -> false when retired.
  bool Enter(uint64_t use);
  void Leave(uint64_t use) { uses_.fetch_sub(use, std::memory_order_acq_rel); }
  // Ends what makes this a partition of its disk; once.
  void LeaveDisk();
  // Acquire() and Release() of the disk for an open of `range` of it.
  Result<HostFile> Attach(const OpenOptions& options, RangeLocks::Range range) EXCLUDES(mu_);
  Status Detach(const OpenOptions& options, RangeLocks::Range range) EXCLUDES(mu_);
  // What such an open locks.
  RangeLocks::Range RangeToLock(const OpenOptions& options) const {
    return {offset_, options.lock_growth ? kMaxSafeInteger : offset_ + size_};
  }
  // Of a disk: those that its lock may lie on, the reader's first.
  std::vector<int> Descriptors() EXCLUDES(mu_);
  // Checks the range and takes it over. `size_untold`: `file_size` means nothing.
  Status SetRange(const HostRange& range, uint64_t file_size, bool size_untold);
  // One more descriptor of the host file. -> it, or a negative errno.
  int Reopen(OpenFlags flags) REQUIRES(mu_);
  // Opens the descriptor that writers share, if it is not open. Errors: EROFS a node that refuses writes · open(2)'s.
  Status OpenForWriting() REQUIRES(mu_);
  // The same for O_DIRECT, by mode; leaves it closed where the host has none.
  Status OpenDirect(bool write) REQUIRES(mu_);
  // Makes the locks, and the claim on a block node, fit the opens that want one; see the rules in minor_open.cc.
  Status AdjustLock() REQUIRES(mu_);
  // Counts in an open that wants a lock. Errors: those of AdjustLock() · ENOMEM.
  Status TakeLock(RangeLocks::Range range, LockKind kind) REQUIRES(mu_);
  // Takes a block node for this minor alone, O_EXCL. Errors: EBUSY.
  Status Claim() REQUIRES(mu_);
  // Makes all of the lock as locks_ wants it; goes on after a failure. Errors: the first one's.
  Status MoveLock() REQUIRES(mu_);
  Status MoveLock(const RangeLocks::Change& change) REQUIRES(mu_);
  Status LockWith(const RangeLocks::Change& change, LockKind kind, bool on_writer) REQUIRES(mu_);
  // Closes all but read_fd_. Errors: the first one's.
  Status CloseAll() REQUIRES(mu_);

  const std::shared_ptr<Minor> disk_;  // null: this is one
  const PartitionSpot spot_;           // of a partition
  HostIo& host_;
  const std::string path_;
  const FileType type_;
  // st_dev and st_ino of a file, st_rdev and 0 of a node: what SameAs() compares (B21).
  const uint64_t identity_device_;
  const uint64_t identity_inode_;
  int index_ = kPrivateMinor;
  // Bytes of the host file; set by SetRange() before anybody else sees the minor, and never changed.
  uint64_t offset_ = 0;
  uint64_t size_ = 0;
  uint64_t sector_size_ = 0;  // of a disk; 0: not named
  bool size_told_ = true;     // of a disk
  DiskLabel label_;
  // Of a disk, as flush_: partitions use those of theirs.
  LabelState label_state_;
  FlushState flush_;

  std::atomic<uint64_t> uses_{0};

  // Of a disk, for its partitions as well.
  Mutex mu_;
  UniqueFd read_fd_;                   // from registration to Retire(); used only by opens, which bar that
  UniqueFd write_fd_ GUARDED_BY(mu_);  // from the first 'r+' open to the last close
  UniqueFd claim_fd_ GUARDED_BY(mu_);  // of a block node, while a writer has a lock: O_EXCL, for nothing but that
  UniqueFd direct_read_fd_ GUARDED_BY(mu_);
  UniqueFd direct_write_fd_ GUARDED_BY(mu_);
  DirectAlignment alignment_ GUARDED_BY(mu_);
  uint32_t active_ GUARDED_BY(mu_) = 0;  // opens between Attach() and Detach()
  RangeLocks locks_ GUARDED_BY(mu_);     // of those with a lock
  QemuLock qemu_ GUARDED_BY(mu_);        // of the same, on read_fd_
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_MINOR_H_
