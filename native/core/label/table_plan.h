// TablePlan: sectors to write, in steps, as the writers of tables plan them, and what they share. Plain data; no state.
#ifndef RUMPBLK_CORE_LABEL_TABLE_PLAN_H_
#define RUMPBLK_CORE_LABEL_TABLE_PLAN_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "core/base/status.h"
#include "core/label/partition_table.h"
#include "core/label/table_source.h"

namespace blk {

struct TableWrite {
  uint64_t position = 0;  // bytes
  std::vector<uint8_t> bytes;
};

// Steps one after the other; the medium is synced behind each.
using TablePlan = std::vector<std::vector<TableWrite>>;

// Gives each entry with PartitionEntry::kAnyIndex the first index that no other one has, and that is not `taken` by
// something on the medium that is no partition.
void TakeIndices(PartitionTable& table, const std::function<bool(uint32_t)>& taken);
void SortByIndex(PartitionTable& table);
// Sorts; and judges what every scheme asks of an entry: an index below `slots` that no other one has, whole sectors,
// and some of them.
void JudgeEntries(PartitionTable& table, uint64_t slots);
// Reads the sector or sectors at `position` to be changed; a medium that ends before has zeros there.
Result<TableWrite> ReadForWrite(TableSource& source, uint64_t position, size_t size);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_TABLE_PLAN_H_
