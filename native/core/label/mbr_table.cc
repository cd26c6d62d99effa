#include "core/label/mbr_table.h"

#include <memory>

#include "core/label/ebr.h"

namespace blk {

Result<PartitionTable> ReadMbr(TableSource& source, const MbrImage& sector0, uint64_t sector_size) {
  const MbrSector sector = DecodeMbr(sector0);
  PartitionTable table;
  table.scheme = Scheme::kMbr;
  table.sector_size = sector_size;
  table.disk_id = sector.disk_id;
  for (uint32_t i = 0; i < kMbrSlots; i++) {
    if (sector.entries[i].half()) table.verdicts.push_back({Verdict::Kind::kHalfEntry, Verdict::kNoEntry, i});
    if (!sector.entries[i].used()) continue;
    table.partitions.push_back(MbrPartition(sector.entries[i], i, 0, sector_size));
    table.partitions.back().name = NumberedName('s', i + 1);
  }
  JudgeRanges(table, {0, source.size(), ""}, source.size());
  uint32_t next_number = kMbrSlots + 1;
  for (PartitionEntry& entry : table.partitions) {
    if (!IsExtended(entry.type)) continue;
    auto chain = ReadChain(source, entry, sector_size);
    if (!chain.ok()) return chain.status();
    entry.table = std::make_unique<PartitionTable>(ToTable(chain.value(), entry, source.size(), next_number));
  }
  return table;
}

}  // namespace blk
