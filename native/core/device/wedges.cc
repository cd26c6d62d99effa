#include "core/device/wedges.h"

#include <utility>

#include "core/device/minor_source.h"
#include "core/label/mbr.h"
#include "core/label/read_table.h"

namespace blk {
namespace {

void AddWedges(const PartitionTable& table, std::vector<Wedge>& list) {
  for (const PartitionEntry& entry : table.partitions) {
    const bool extended = (table.scheme == Scheme::kMbr || table.scheme == Scheme::kEbr) && IsExtended(entry.type);
    const bool unused = table.scheme == Scheme::kBsd && entry.type == kFsUnused;
    if (entry.usable && !extended && !unused) {
      Wedge wedge;
      wedge.spot = SpotOf(table, entry);
      list.push_back(std::move(wedge));
    }
    if (entry.table) AddWedges(*entry.table, list);
  }
}

}  // namespace

Result<std::vector<Wedge>> ListWedges(const Minor& minor) {
  const Minor& disk = minor.disk();
  MinorSource source(disk);
  const auto table = ReadPartitionTable(source);
  if (!table.ok()) return table.status();
  std::vector<Wedge> list;
  if (table.value()) AddWedges(*table.value(), list);
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
