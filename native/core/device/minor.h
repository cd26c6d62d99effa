// Minor: a place in the table: a disk, or a partition of one, under a number. Opens share it; it lives until it is
// deregistered and the last open is gone.
// Thread-safe. No lock of its own: what is fixed is fixed, the rest is the disk's.
// Model: struct rblkdev and rumpblk_register, rumpblk.c r1.31 lines 98-117 and 374-429.
#ifndef RUMPBLK_CORE_DEVICE_MINOR_H_
#define RUMPBLK_CORE_DEVICE_MINOR_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/device/disk.h"
#include "core/device/options.h"
#include "core/device/use_count.h"
#include "core/label/partition_table.h"

namespace blk {

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
  // Makes the minor of a disk. It is in no table yet. Errors: those of Disk::Create().
  static Result<std::shared_ptr<Minor>> Create(std::unique_ptr<Medium> medium, const MediumRange& range);
  // Makes the minor of a partition of `of`, by what its tables say now; `of` may be a partition that holds others. It
  // is in no table yet, and its disk cannot be retired before it. Errors: ENXIO no such partition, or the disk is
  // retired · EINVAL it does not lie inside the disk, or inside what contains it · the medium's.
  static Result<std::shared_ptr<Minor>> CreatePartition(const std::shared_ptr<Minor>& of, const std::string& name);
  // The same for all of them that can become devices, by WedgeSpots(), from one look at the tables; of a partition
  // those that it holds. Errors: ENXIO the disk is retired · the medium's.
  static Result<std::vector<std::shared_ptr<Minor>>> CreatePartitions(const std::shared_ptr<Minor>& of);
  // A partition that was not retired leaves its disk, and ends the hold on it.
  ~Minor();
  Minor(const Minor&) = delete;
  Minor& operator=(const Minor&) = delete;

  // True when both stand for the same disk, or for the same partition of the same one.
  bool SameAs(const Minor& other) const;

  // Gives the minor its place in the table. REQUIRES: not open, called once, and before anybody else can see it.
  void SetIndex(int index);

  // Takes part in the minor. -> the way to the medium, until Release() with the same options. After a failure nothing
  // of it is left.   Errors: ENXIO deregistered · those of Medium::Attach().
  Result<std::unique_ptr<Channel>> Acquire(const OpenOptions& options);
  // Ends what Acquire() began. Retires a private minor, with the disk that it is a partition of.
  // Errors: those of Medium::Detach() and Retire(); it has ended all the same (B18).
  Status Release(const OpenOptions& options);
  // Who is in the way of such an open: a process with a lock, or 0 where nobody can tell. Slow; asked after EBUSY.
  int LockHolder(OpenMode mode);

  // Bars the minor from being opened again; a disk lets go of its medium. Errors: EBUSY while it is open or a partition
  // of it is registered · ENXIO done before · the medium's.   Against an open at the same time, one of the two wins.
  Status Retire();

  // Fixed once the minor is in the table, or open.
  int index() const { return index_; }
  Disk& disk() const { return *disk_; }
  // What it is on its disk; null for a minor that is the whole disk.
  const PartitionSpot* partition() const { return partition_ ? &partition_->spot : nullptr; }
  // Bytes of the device, and where it begins on the medium.
  uint64_t size() const { return partition_ ? partition_->spot.size : disk_->size(); }
  MediumOffset begin() const { return {disk_->begin().value + (partition_ ? partition_->spot.start : 0)}; }
  MediumSpan span() const { return {begin(), {begin().value + size()}}; }

  uint32_t open_count() const { return uses().opens(); }

 private:
  // A partition is opened and retired by itself, and holds its disk.
  struct PartitionPart {
    explicit PartitionPart(PartitionSpot at) : spot(std::move(at)) {}
    const PartitionSpot spot;
    UseCount uses;
  };

  explicit Minor(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) {}
  // REQUIRES: a hold on the disk, which is the partition's from here on.
  Minor(std::shared_ptr<Disk> disk, PartitionSpot spot);

  UseCount& uses() { return partition_ ? partition_->uses : disk_->uses(); }
  const UseCount& uses() const { return partition_ ? partition_->uses : disk_->uses(); }
  Attachment AttachmentOf(const OpenOptions& options) const;
  // Ends what makes this a partition of its disk; once.
  void LeaveDisk();

  const std::shared_ptr<Disk> disk_;
  std::optional<PartitionPart> partition_;
  int index_ = kPrivateMinor;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_MINOR_H_
