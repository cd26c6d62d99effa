#include "core/device/label_ioctl.h"

#include <algorithm>
#include <array>
#include <string_view>
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
// d may say what they like. A flaw that `old` has as well, and no smaller, is no reason to refuse.
Verdicts JudgeLabel(const DiskLabel& label, const DiskLabel& old, const Units& units, uint64_t disk_size) {
  using Kind = Verdict::Kind;
  Verdicts faults;
  if (label.secpercyl == 0 && old.secpercyl != 0) faults.push_back({Kind::kNoCylinders});
  if (!IsSectorSize(label.secsize)) faults.push_back({Kind::kSectorSize, Verdict::kNoEntry, label.secsize});
  if (label.npartitions == 0) faults.push_back({Kind::kCount});
  for (uint32_t i = 0; i < label.npartitions; i++) {
    const Partition& partition = label.partitions[i];
    if (partition.fstype == kFsUnused || partition.size == 0) continue;
    const Partition& was = old.partitions[i];
    const bool stays = i < old.npartitions && was.fstype != kFsUnused && label.secsize == old.secsize &&
                       partition.offset == was.offset && partition.size <= was.size;
    if (stays) continue;
    const auto start = units.StartOf(partition);
    if (!start) faults.push_back({Kind::kNotCounted, Verdict::kNoEntry, i});
    const bool beyond = start && *start + units.SizeOf(partition) > disk_size;
    if (beyond) faults.push_back({Kind::kBeyondDevice, static_cast<int>(i)});
  }
  return faults;
}

// Leaves what `old` has behind the NUL of a name as it is, when the name stays.
void KeepNames(const DiskLabel& old, DiskLabel* label) {
  using Name = std::array<char, 16>;
  const auto said = [](const Name& name) {
    return std::string_view(name.begin(), std::find(name.begin(), name.end(), '\0') - name.begin());
  };
  for (Name DiskLabel::*const field : {&DiskLabel::type_name, &DiskLabel::pack_name}) {
    if (said(old.*field) == said(label->*field)) label->*field = old.*field;
  }
}

// What has the disk where PlaceForLabel() finds no place for a label.
Result<Verdict> WhyNoPlace(TableSource& source) {
  using Kind = Verdict::Kind;
  const auto read = ReadPartitionTable(source);
  if (!read.ok()) return read.status();
  const auto& table = read.value();
  const auto taken = [](std::string_view name) { return Verdict{Kind::kPlaceTaken, Verdict::kNoEntry, 0, name}; };
  if (!table) return Verdict{Kind::kNoRoom};
  switch (table->scheme) {
    case Scheme::kGpt: return taken("GPT");
    case Scheme::kApm: return taken("Apple Partition Map");
    case Scheme::kSun: return taken("Sun disk label");
    case Scheme::kUnknown: return taken(table->verdicts.empty() ? "another scheme" : table->verdicts.front().text);
    case Scheme::kBsd:
    case Scheme::kMbr:
    case Scheme::kEbr: break;
  }
  return Verdict{Kind::kNoRoom};
}

// The sector with the label in it, and where the label begins.
struct PlannedLabel {
  TableWrite write;
  uint64_t position = 0;  // bytes
};

// EINVAL with `faults` where it cannot lie on the medium.
Result<PlannedLabel> PlanLabel(TableSource& source, const DiskLabel& label, Verdicts* faults) {
  using Kind = Verdict::Kind;
  const auto place = PlaceForLabel(source);
  if (!place.ok() && place.status().err != EINVAL) return place.status();
  if (!place.ok()) {
    const auto why = WhyNoPlace(source);
    if (!why.ok()) return why.status();
    return faults->push_back(why.value()), kInvalid;
  }
  auto write = EncodeAt(source, place.value(), label);
  if (!write.ok()) {
    const int err = write.status().err;
    const bool fits = IsEncodable(label, place.value().order);
    if (err == EEXIST) faults->push_back({Kind::kBehindLabel});
    if (err == EINVAL) faults->push_back({fits ? Kind::kNoRoom : Kind::kTooFar});
    return faults->empty() ? write.status() : kInvalid;
  }
  const auto lost = WhatLabelWouldDestroy(source, write.value());
  if (!lost.ok()) return lost.status();
  for (const Verdict& one : lost.value()) faults->push_back({Kind::kPlaceTaken, Verdict::kNoEntry, 0, one.text});
  if (!faults->empty()) return kInvalid;
  return PlannedLabel{write.Take(), place.value().position};
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

Status SetLabel(Device& device, DiskLabel label, LabelWrite write, Verdicts* faults) {
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
  *faults = JudgeLabel(label, old.value(), units, disk.size());
  if (!faults->empty()) return kInvalid;
  Status status = CheckOpenPartitions(disk, old.value(), units, &label);
  if (!status.ok()) return status;
  KeepNames(old.value(), &label);
  label.checksum = 0;
  label.checksum = LabelChecksum(label);
  if (write == LabelWrite::kInMemory) return disk.label_state().SetInMemory(label), status;

  auto planned = PlanLabel(source, label, faults);
  if (!planned.ok()) return planned.status();
  auto [bytes, position] = planned.Take();
  status = device.WriteDisk(bytes.position, std::move(bytes.bytes), kSharedLane);
  if (!status.ok()) return status;
  disk.label_state().SetInMemory(std::nullopt);  // the medium says it now
  disk.label_state().sector().Place(MediumOffset{disk.begin().value + position});
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
