// The part of Minor that makes partitions of it.
#include <memory>
#include <utility>

#include "core/base/no_memory.h"
#include "core/device/minor.h"
#include "core/device/minor_source.h"
#include "core/label/read_table.h"
#include "core/label/write_label.h"

namespace blk {

PartitionSpot SpotOf(const PartitionTable& table, const PartitionEntry& entry) {
  PartitionSpot spot;
  spot.name = entry.name;
  spot.start = entry.start;
  spot.size = entry.size;
  spot.scheme = table.scheme;
  spot.index = entry.index;
  spot.type = entry.type;
  spot.type_guid = entry.type_guid;
  spot.uuid = entry.uuid;
  spot.label = entry.label;
  return spot;
}

namespace {

// The partitions of the label in memory, if there is one.
Result<std::optional<PartitionTable>> TableInMemory(Minor& disk, TableSource& source) {
  using Nothing = std::optional<PartitionTable>;
  const auto label = disk.label_state().in_memory();
  if (!label) return Nothing();
  const auto slice = SliceForLabel(source);
  if (!slice.ok()) return slice.status();
  FoundLabel found;
  found.decoded.label = *label;
  return Nothing(ToTable(found, slice.value(), source));
}

// The spot of the partition that the label in memory, or else the tables of the medium, know by this name.
Result<PartitionSpot> FindSpot(Minor& disk, const std::string& name) {
  MinorSource source(disk);
  const auto in_memory = TableInMemory(disk, source);
  if (!in_memory.ok()) return in_memory.status();
  auto table = ReadPartitionTable(source);
  if (!table.ok()) return table.status();
  auto found = in_memory.value() ? FindPartition(*in_memory.value(), name) : std::nullopt;
  if (!found && table.value()) found = FindPartition(*table.value(), name);
  if (!found) return Status{ENXIO, Op::kRegister};
  if (!found->entry->usable) return Status{EINVAL, Op::kRegister};
  return SpotOf(*found->table, *found->entry);
}

}  // namespace

Minor::Minor(std::shared_ptr<Minor> disk, PartitionSpot spot)
    : disk_(std::move(disk)),
      spot_(std::move(spot)),
      host_(disk_->host_),
      path_(disk_->path_),
      type_(disk_->type_),
      identity_device_(disk_->identity_device_),
      identity_inode_(disk_->identity_inode_),
      offset_(disk_->offset_ + spot_.start),
      size_(spot_.size) {}

Minor::~Minor() {
  if (disk_ && uses_.load(std::memory_order_relaxed) != kRetired) LeaveDisk();
}

void Minor::LeaveDisk() {
  disk_->label_state_.Leave(this);
  disk_->Unhold();
}

Result<std::shared_ptr<Minor>> Minor::CreatePartition(const std::shared_ptr<Minor>& of, const std::string& name) {
  const std::shared_ptr<Minor>& disk = of->disk_ ? of->disk_ : of;
  const Status held = disk->Hold();
  if (!held.ok()) return held;
  MutexLock lock(disk->label_state_.changes());
  Status status{ENOMEM, Op::kRegister};
  std::unique_ptr<Minor> made;  // which ends the hold
  static_cast<void>(HadMemory([&] {
    auto spot = FindSpot(*disk, of->spot_.name + name);
    if (spot.ok()) made.reset(new Minor(disk, spot.Take()));
    if (!spot.ok()) status = spot.status();
  }));
  if (!made) return disk->Unhold(), status;
  std::shared_ptr<Minor> partition(std::move(made));
  disk->label_state_.Enter(partition.get());
  return partition;
}

}  // namespace blk
