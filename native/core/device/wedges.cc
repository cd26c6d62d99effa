#include "core/device/wedges.h"

#include <utility>

#include "core/label/mbr.h"
#include "core/label/read_table.h"

namespace blk {
namespace {

void AddSpots(const PartitionTable& table, std::vector<PartitionSpot>& list) {
  for (const PartitionEntry& entry : table.partitions) {
    const bool extended = (table.scheme == Scheme::kMbr || table.scheme == Scheme::kEbr) && IsExtended(entry.type);
    const bool unused = table.scheme == Scheme::kBsd && entry.type == kFsUnused;
    if (entry.usable && !extended && !unused) list.push_back(SpotOf(table, entry));
    if (entry.table) AddSpots(*entry.table, list);
  }
}

}  // namespace

std::vector<PartitionSpot> WedgeSpots(const PartitionTable& table) {
  std::vector<PartitionSpot> list;
  AddSpots(table, list);
  return list;
}

Result<std::vector<Wedge>> ListWedges(const Minor& minor) {
  const Disk& disk = minor.disk();
  DiskSource source = disk.Source();
  const auto table = ReadPartitionTable(source);
  if (!table.ok()) return table.status();
  std::vector<Wedge> list;
  if (table.value()) {
    for (PartitionSpot& spot : WedgeSpots(*table.value())) list.push_back({std::move(spot)});
  }
  disk.label_state().ForEachPartition([&](const Minor& partition) {
    const PartitionSpot& spot = *partition.partition();
    for (Wedge& wedge : list) {
      const bool same = wedge.spot.name == spot.name && wedge.spot.start == spot.start && wedge.spot.size == spot.size;
      if (same) wedge.minor = partition.index();
    }
  });
  return list;
}

Result<Wedge> GetWedge(const Minor& minor) {
  if (minor.partition() == nullptr) return Status{ENOTTY, Op::kIoctl};
  return Wedge{*minor.partition(), minor.index()};
}

}  // namespace blk
