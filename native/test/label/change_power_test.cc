// PlanTable over tables that somebody else made: what is on the medium when the power fails between any two writes.
#include <set>
#include <string>
#include <vector>

#include "core/label/write_table.h"
#include "test/support/check.h"
#include "test/support/memory_source.h"
#include "test/support/table_change.h"

namespace blk {
namespace {

using test::ChainMedium;
using test::ChainOf;
using test::Change;
using test::Edited;
using test::Hybrid;
using test::kNothing;
using test::kSector;
using test::Medium;
using test::Of;
using test::Partition;
using test::Put;
using test::Remove;
using test::Table;
using Kind = Verdict::Kind;

// As "s5 1063+100", for every partition of the tree but the extended one.
std::set<std::string> Spans(const PartitionTable& table) {
  std::set<std::string> spans;
  for (const PartitionEntry& entry : table.partitions) {
    if (entry.table) spans.merge(Spans(*entry.table));
    if (!entry.table) spans.insert(std::to_string(entry.start / kSector) + "+" + std::to_string(entry.size / kSector));
  }
  return spans;
}

// Carries out the change; at each step, any of its writes may have reached the medium and the others not.
void CutPower(Medium& medium, const Change& change) {
  const std::set<std::string> old_spans = Spans(Table(medium));
  PartitionTable fresh = Edited(medium, change);
  const auto plan = PlanTable(medium, fresh);
  REQUIRE(plan.ok());
  REQUIRE_FALSE(HasVerdict(fresh));
  const std::set<std::string> new_spans = Spans(fresh);
  for (const auto& step : plan.value()) {
    REQUIRE(step.size() < 10);
    for (size_t written = 0; written < size_t{1} << step.size(); written++) {
      Medium cut(medium);
      for (size_t i = 0; i < step.size(); i++) {
        if ((written >> i & 1) != 0) Put(cut, step[i]);
      }
      const std::set<std::string> seen = Spans(Table(cut));
      for (const std::string& span : seen) CHECK((old_spans.count(span) != 0 || new_spans.count(span) != 0));
      for (const std::string& span : old_spans) CHECK((seen.count(span) != 0 || new_spans.count(span) == 0));
    }
    for (const TableWrite& write : step) Put(medium, write);
  }
  CHECK(Spans(Table(medium)) == new_spans);
}

TEST_CASE("whatever part of a step has reached the medium, what was there and stays is there, and nothing else is") {
  const auto add = [](uint64_t start) {
    return [=](PartitionTable& t) { ChainOf(t).partitions.push_back(Partition(PartitionEntry::kAnyIndex, start, 30)); };
  };
  const std::vector<Change> changes = {
      kNothing,
      add(2200),
      add(1200),
      [](PartitionTable& t) { Remove(ChainOf(t), "s5"); },
      [](PartitionTable& t) { Remove(ChainOf(t), "s6"); },
      [](PartitionTable& t) { Remove(ChainOf(t), "s7"); },
      [](PartitionTable& t) { ChainOf(t).partitions.clear(); },
      [](PartitionTable& t) { Of(t, "s7").size += 100 * kSector; },
      [](PartitionTable& t) { Of(t, "s1").bootable = true; },
      [](PartitionTable& t) { Of(t, "s2").size -= 500 * kSector; },
      [&](PartitionTable& t) { add(2200)(t), add(2300)(t), Remove(ChainOf(t), "s6"); },
      [](PartitionTable& t) {
        for (PartitionEntry& entry : ChainOf(t).partitions) entry.index += entry.index > 0 ? 1 : 0;
        ChainOf(t).partitions.push_back(Partition(1, 1200, 30));
      },
      // In front of all others: the first link is another one's then.
      [](PartitionTable& t) {
        for (PartitionEntry& entry : ChainOf(t).partitions) entry.index++;
        ChainOf(t).partitions.push_back(Partition(0, 2200, 30));
      },
      [](PartitionTable& t) { Remove(t, "s2"); },
  };
  for (const Change& change : changes) {
    Medium medium = ChainMedium();
    CutPower(medium, change);
  }
  for (const bool damaged : {false, true}) {
    Medium medium = Hybrid({1, 0, 2});
    if (damaged) medium.bytes[512 + 60] ^= 1;
    CutPower(medium, [](PartitionTable& t) { t.partitions.push_back(Partition(9, 600, 30)); });
    CutPower(medium, [](PartitionTable& t) { Remove(t, "p10"), t.hybrid.emplace(); });
  }
}

TEST_CASE("the same of a GPT whose array grows, with both copies and with either alone") {
  constexpr size_t kSectors = 1000;
  for (const size_t damaged : {size_t{0}, size_t{1}, kSectors - 1}) {
    for (const uint32_t index : {129, 200, 600}) {
      Medium medium(kSectors);
      medium.PutGpt({test::Gpt(300, 399, 1), test::Gpt(400, 499, 2)});
      if (damaged != 0) medium.bytes[damaged * kSector + 60] ^= 1;
      CutPower(medium, [&](PartitionTable& t) { t.partitions.push_back(Partition(index, 600, 30)); });
      CHECK(Table(medium).verdicts.empty());
    }
  }
}

}  // namespace
}  // namespace blk
