#include "core/label/table_plan.h"

#include <algorithm>
#include <set>

namespace blk {
namespace {

void Note(PartitionTable& table, Verdict::Kind kind, size_t entry) {
  table.verdicts.push_back({kind, static_cast<int>(entry)});
}

}  // namespace

void TakeIndices(PartitionTable& table, const std::function<bool(uint32_t)>& taken) {
  std::set<uint32_t> given;
  for (const PartitionEntry& entry : table.partitions) given.insert(entry.index);
  uint32_t next = 0;
  for (PartitionEntry& entry : table.partitions) {
    if (entry.index != PartitionEntry::kAnyIndex) continue;
    while (given.count(next) != 0 || taken(next)) next++;
    entry.index = next++;
  }
}

void SortByIndex(PartitionTable& table) {
  std::stable_sort(table.partitions.begin(), table.partitions.end(),
                   [](const auto& a, const auto& b) { return a.index < b.index; });
}

void JudgeEntries(PartitionTable& table, uint64_t slots) {
  SortByIndex(table);
  for (size_t i = 0; i < table.partitions.size(); i++) {
    const PartitionEntry& entry = table.partitions[i];
    const bool taken = i > 0 && table.partitions[i - 1].index == entry.index;
    if (entry.index >= slots || taken) Note(table, Verdict::Kind::kBadSlot, i);
    if (entry.start % table.sector_size != 0 || entry.size % table.sector_size != 0) {
      Note(table, Verdict::Kind::kMisaligned, i);
    }
    if (entry.size == 0) Note(table, Verdict::Kind::kEmpty, i);
  }
}

Result<TableWrite> ReadForWrite(TableSource& source, uint64_t position, size_t size) {
  TableWrite write{position, std::vector<uint8_t>(size)};
  if (!source.Holds(position, size)) return write;
  const Status status = source.Read(position, write.bytes.data(), size);
  if (!status.ok()) return status;
  return write;
}

}  // namespace blk
