// Changes of tables on a medium in memory: which bytes they touch, why they are refused, and media to change.
#ifndef RUMPBLK_TEST_SUPPORT_TABLE_CHANGE_H_
#define RUMPBLK_TEST_SUPPORT_TABLE_CHANGE_H_

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/label/write_table.h"
#include "test/support/check.h"
#include "test/support/memory_source.h"

namespace blk::test {

using Kind = Verdict::Kind;
using Change = std::function<void(PartitionTable&)>;

inline constexpr uint64_t kSector = 512;

inline void Put(Medium& medium, const TableWrite& write) {
  std::copy(write.bytes.begin(), write.bytes.end(), medium.bytes.begin() + static_cast<ptrdiff_t>(write.position));
}

// The table of the medium with a change, without what lib does not give back.
inline PartitionTable Edited(Medium& medium, const Change& change) {
  PartitionTable table = Table(medium);
  table.verdicts.clear();
  for (PartitionEntry& entry : table.partitions) {
    if (entry.table) entry.table->verdicts.clear();
  }
  change(table);
  return table;
}

// Makes the change. -> the bytes that it touched.
inline std::set<size_t> Touched(Medium& medium, const Change& change) {
  PartitionTable table = Edited(medium, change);
  const std::vector<uint8_t> before = medium.bytes;
  const auto plan = PlanTable(medium, table);
  REQUIRE(plan.ok());
  REQUIRE_FALSE(HasVerdict(table));
  for (const auto& step : plan.value()) {
    for (const TableWrite& write : step) Put(medium, write);
  }
  std::set<size_t> touched;
  for (size_t at = 0; at < before.size(); at++) {
    if (before[at] != medium.bytes[at]) touched.insert(at);
  }
  return touched;
}
inline std::set<size_t> Sectors(const std::set<size_t>& bytes) {
  std::set<size_t> sectors;
  for (const size_t at : bytes) sectors.insert(at / kSector);
  return sectors;
}
// The verdicts for which the change is refused.
inline std::vector<Kind> Refused(Medium& medium, const Change& change) {
  PartitionTable table = Edited(medium, change);
  const auto plan = PlanTable(medium, table);
  REQUIRE(plan.ok());
  std::vector<Kind> kinds = KindsOf(table.verdicts);
  for (const PartitionEntry& entry : table.partitions) {
    if (!entry.table) continue;
    for (const Kind kind : KindsOf(entry.table->verdicts)) kinds.push_back(kind);
  }
  CHECK(plan.value().empty() == !kinds.empty());
  return kinds;
}

inline PartitionEntry Partition(uint32_t index, uint64_t start, uint64_t sectors, uint8_t type = 0x83) {
  PartitionEntry entry;
  entry.index = index;
  entry.start = start * kSector;
  entry.size = sectors * kSector;
  entry.type = type;
  entry.type_guid.bytes.fill(0x11);
  entry.uuid.bytes.fill(static_cast<uint8_t>(start));
  return entry;
}
inline void Remove(PartitionTable& table, const char* name) {
  auto& entries = table.partitions;
  entries.erase(
      std::remove_if(entries.begin(), entries.end(), [&](const PartitionEntry& entry) { return entry.name == name; }),
      entries.end());
}
inline PartitionEntry& Of(PartitionTable& table, const char* name) {
  return const_cast<PartitionEntry&>(Entry(table, name));
}
inline PartitionTable& ChainOf(PartitionTable& table) { return *Of(table, "s2").table; }
inline const Change kNothing = [](PartitionTable&) {};

// Two partitions, both in a hybrid MBR; slots of the protective entry and of theirs.
inline Medium Hybrid(std::vector<uint32_t> slots) {
  Medium medium(1000);
  medium.PutGpt({Gpt(200, 299, 1), Gpt(300, 399, 2)});
  std::fill_n(medium.bytes.begin() + kMbrEntriesAt, 64, uint8_t{0});
  medium.PutEntry(0, slots[0], kMbrProtective, 1, 33);
  medium.PutEntry(0, slots[1], 0x83, 200, 100, 0x80);
  medium.PutEntry(0, slots[2], 0x0c, 300, 100);
  return medium;
}

// s1, and in s2 from 1000 on the links 1000 (s5 at 1063), 1500 (s6 at 1510), 1700 (empty) and 2000 (s7 at 2001).
inline Medium ChainMedium() {
  Medium medium(4000);
  for (size_t at = 1000 * kSector; at < medium.bytes.size(); at++) medium.bytes[at] = static_cast<uint8_t>(at * 5);
  for (const size_t link : {1000, 1500, 1700, 2000}) {
    std::fill_n(medium.bytes.begin() + static_cast<ptrdiff_t>(link * kSector + kMbrEntriesAt), 64, uint8_t{0});
  }
  medium.PutEntry(0, 0, 0x83, 100, 100);
  medium.PutEntry(0, 1, 0x0f, 1000, 3000);
  medium.PutEntry(1000, 0, 0x83, 63, 100);
  medium.PutEntry(1000, 1, 0x05, 500, 200);
  medium.PutEntry(1500, 2, 0x83, 10, 100);  // in slots that nobody uses
  medium.PutEntry(1500, 3, 0x85, 700, 300);
  medium.PutEntry(1700, 1, 0x05, 1000, 400);
  medium.PutEntry(2000, 0, 0x83, 1, 100);
  return medium;
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_TABLE_CHANGE_H_
