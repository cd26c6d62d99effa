// PlanBsd: a disklabel with the partitions of a table, and all else as the label that lies there has it.
#include <algorithm>
#include <utility>

#include "core/label/mbr.h"
#include "core/label/write_table.h"

namespace blk {
namespace {

using Kind = Verdict::Kind;

// How many partitions a label has room for from the start, so that it can list more of them later whatever lies behind
// it: what the systems make. In a boot block it takes no more than it needs.
uint16_t RoomOfFresh(uint64_t position, const Slice& slice) {
  constexpr uint16_t kFreeBsdPartitions = 8;
  if (position < kDevBsize) return 0;
  return slice.type == kMbrFreeBsd ? kFreeBsdPartitions : kMaxPartitions;
}

// The label that lies at its place, even one that does not hold: what it says beside its partitions is better than what
// could be made up. Where none lies a default one. In a slice it says where, lest there be two.
Result<FoundLabel> OldLabel(TableSource& source, const PartitionTable& table, const Slice& slice) {
  auto found = slice.type == 0 ? LabelAt(source, table.position) : FindSliceLabel(source, slice);
  if (!found.ok()) return found.status();
  if (found.value()) return std::move(*found.value());
  FoundLabel fresh;
  fresh.fresh = true;
  fresh.position = table.position;
  fresh.decoded.order = table.order;
  fresh.decoded.label = DefaultLabel(source.size(), 0);
  fresh.decoded.label.npartitions = RoomOfFresh(table.position, slice);
  return fresh;
}

// A partition that stays where it is keeps what a table does not say of it.
Partition ToPartition(const PartitionEntry& entry, const Partition& old, const LabelBase& base, uint64_t sector_size) {
  Partition partition;
  partition.offset = OffsetOf(entry.start, base, sector_size).value_or(0);  // judged: it has one
  partition.size = entry.size / sector_size;
  partition.fstype = entry.type;
  if (old.offset != partition.offset || old.fstype != partition.fstype) return partition;
  partition.fsize = old.fsize;
  partition.frag = old.frag;
  partition.cpg = old.cpg;
  return partition;
}

bool IsBarePlace(uint64_t position) {
  return std::find(std::begin(kBareLabelPlaces), std::end(kBareLabelPlaces), position) != std::end(kBareLabelPlaces);
}

void JudgeBsd(PartitionTable& table, const DecodedLabel& old, const Slice& slice, const TableSource& source) {
  const LabelBase base = BaseOf(old.label, slice);
  const uint64_t most = MaxSectors(old.label, old.order);
  JudgeEntries(table, kMaxMaxPartitions);
  JudgeRanges(table, ContainerOf(old, slice, source), source.size());
  for (PartitionEntry& entry : table.partitions) {
    const bool has_letter = entry.index < kMaxMaxPartitions;
    entry.name = slice.name + (has_letter ? std::string(1, static_cast<char>('a' + entry.index)) : "?");
    const int place = static_cast<int>(&entry - table.partitions.data());
    const auto offset = OffsetOf(entry.start, base, table.sector_size);
    const bool counts = offset && *offset <= most && entry.size / table.sector_size <= most;
    if (!counts) table.verdicts.push_back({Kind::kTooFar, place});
    if (entry.table) table.verdicts.push_back({Kind::kBadNesting, place});
  }
}

// Whether an entry of a label is one that ToTable() lists: those that it leaves out are kept as they lie there, unless
// the table has a partition of that index.
bool IsListed(const Partition& partition, const LabelBase& base, uint64_t sector_size) {
  return partition.size != 0 && StartOf(partition, base, sector_size);
}

}  // namespace

Status PlanBsd(TableSource& source, PartitionTable& table, const Slice& slice, TablePlan& plan) {
  const bool in_slice = slice.type != 0;
  if (in_slice) table.position = PlaceInSlice(slice).value_or(slice.end);
  if (!in_slice && !IsBarePlace(table.position)) return table.verdicts.push_back({Kind::kBadPlace}), Status::Ok();
  auto old = OldLabel(source, table, slice);
  if (!old.ok()) return old.status();
  table.position = old.value().position;
  const bool room = source.Holds(AlignDown(table.position, kDevBsize), kDevBsize) && table.position < slice.end;
  if (!room) return table.verdicts.push_back({Kind::kNoRoom}), Status::Ok();
  DiskLabel label = old.value().decoded.label;
  const LabelBase base = BaseOf(label, slice);
  JudgeBsd(table, old.value().decoded, slice, source);
  if (!old.value().fresh) ForgiveOldFlaws(table, ToTable(old.value(), slice, source));
  // What lies behind the partitions that can be read is not known, and would be under the new checksum.
  for (const Verdict& verdict : old.value().decoded.verdicts) {
    if (verdict.kind == Kind::kCount) table.verdicts.push_back(verdict);
  }
  if (!table.verdicts.empty()) return Status::Ok();

  const auto was = label.partitions;
  const uint64_t old_unit = UnitOf(label, source);
  for (Partition& partition : label.partitions) {
    if (IsListed(partition, base, old_unit)) partition = {};
  }
  label.secsize = static_cast<uint32_t>(table.sector_size);
  for (const PartitionEntry& entry : table.partitions) {
    label.partitions[entry.index] = ToPartition(entry, was[entry.index], base, table.sector_size);
    label.npartitions = std::max<uint16_t>(label.npartitions, static_cast<uint16_t>(entry.index + 1));
  }
  const LabelBase after = BaseOf(label, slice);
  if (after.begin - after.first * table.sector_size != base.begin - base.first * table.sector_size) {
    return table.verdicts.push_back({Kind::kMovesOrigin}), Status::Ok();
  }
  auto write = EncodeAt(source, {table.position, old.value().decoded.order, slice}, label);
  if (write.status().err == EEXIST) return table.verdicts.push_back({Kind::kBehindLabel}), Status::Ok();
  if (write.status().err == EINVAL) return table.verdicts.push_back({Kind::kNoRoom}), Status::Ok();
  if (!write.ok()) return write.status();
  plan.push_back({write.Take()});
  return Status::Ok();
}

}  // namespace blk
