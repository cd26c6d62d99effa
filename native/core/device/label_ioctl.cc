#include "core/device/label_ioctl.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/label/overwrite.h"
#include "core/label/read_table.h"
#include "core/label/write_label.h"

namespace blk {
namespace {

constexpr Status kInvalid{EINVAL, Op::kIoctl};

// From the numbers of a label to bytes of the disk.
struct Units {
  LabelBase base;
  uint64_t sector = 0;  // bytes

  std::optional<uint64_t> StartOf(const Partition& partition) const { return blk::StartOf(partition, base, sector); }
  // Of a partition that has a start.
  uint64_t SizeOf(const Partition& partition) const { return partition.size * sector; }
};

// What setdisklabel refuses, and partitions that the disk has no room for. Entries of type unused claim nothing: c and
// d may say what they like.
Status CheckLabel(const DiskLabel& label, const Units& units, uint64_t disk_size) {
  if (label.secpercyl == 0 || !IsSectorSize(label.secsize) || label.npartitions == 0) return kInvalid;
  for (uint32_t i = 0; i < label.npartitions; i++) {
    const Partition& partition = label.partitions[i];
    if (partition.fstype == kFsUnused || partition.size == 0) continue;
    const auto start = units.StartOf(partition);
    if (!start || *start + units.SizeOf(partition) > disk_size) return kInvalid;
  }
  return Status::Ok();
}

// Compares `label` with the partitions of it that are open, and gives them what it does not say of them: an entry that
// it has as unused stays what it was.
Status CheckOpenPartitions(const Disk& disk, const DiskLabel& old, const Units& units, DiskLabel* label) {
  Status status = Status::Ok();
  disk.label_state().ForEachPartition([&](const Minor& minor) {
    const PartitionSpot& spot = *minor.partition();
    if (spot.scheme != Scheme::kBsd || minor.open_count() == 0) return;
    Partition& partition = label->partitions[spot.index];
    const bool there = spot.index < label->npartitions && units.StartOf(partition) == spot.start &&
                       units.SizeOf(partition) >= spot.size;
    if (!there) status = {EBUSY, Op::kIoctl};
    if (there && partition.fstype == kFsUnused && spot.index < old.npartitions) partition = old.partitions[spot.index];
  });
  return status;
}

}  // namespace

Status SetLabel(Device& device, DiskLabel label, LabelWrite write) {
  if (device.mode() != OpenMode::kReadWrite) return {EBADF, Op::kIoctl};
  Disk& disk = device.minor().disk();
  MutexLock lock(disk.label_state().changes());
  DiskSource source = disk.Source();
  const auto slice = SliceForLabel(source);
  if (!slice.ok()) return slice.status();
  auto old = disk.Label();
  if (!old.ok()) return old.status();
  label.magic = label.magic2 = kDiskMagic;
  const Units units{BaseOf(label, slice.value()), UnitOf(label, source)};
  Status status = CheckLabel(label, units, disk.size());
  if (status.ok()) status = CheckOpenPartitions(disk, old.value(), units, &label);
  if (!status.ok()) return status;
  label.checksum = 0;
  label.checksum = LabelChecksum(label);
  if (write == LabelWrite::kInMemory) return disk.label_state().SetInMemory(label), status;

  const auto place = PlaceForLabel(source);
  if (!place.ok()) return place.status();
  auto bytes = EncodeAt(source, place.value(), label);
  if (!bytes.ok()) return bytes.status().err == EEXIST ? kInvalid : bytes.status();
  const auto lost = WhatLabelWouldDestroy(source, bytes.value());
  if (!lost.ok()) return lost.status();
  if (!lost.value().empty()) return kInvalid;
  status = device.WriteDisk(bytes.value().position, std::move(bytes.value().bytes), kSharedLane);
  if (!status.ok()) return status;
  disk.label_state().SetInMemory(std::nullopt);  // the medium says it now
  disk.label_state().sector().Place(HostOffset{disk.begin().value + place.value().position});
  return status;
}

Status AllowLabelWrites(Device& device, bool allow) {
  if (device.mode() != OpenMode::kReadWrite) return {EBADF, Op::kIoctl};
  device.minor().disk().label_state().sector().SetWritable(allow);
  return Status::Ok();
}

Status KeepLabel(Device& device, bool keep) {
  if (device.mode() != OpenMode::kReadWrite) return {EBADF, Op::kIoctl};
  device.minor().disk().label_state().SetKeep(keep);
  return Status::Ok();
}

}  // namespace blk
