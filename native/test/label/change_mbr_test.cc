// PlanTable over MBRs and chains that somebody else made: which bytes a change touches, and what it refuses.
#include <set>

#include "core/label/ebr.h"
#include "core/label/write_table.h"
#include "test/support/check.h"
#include "test/support/memory_source.h"
#include "test/support/table_change.h"

namespace blk {
namespace {

using test::ChainMedium;
using test::ChainOf;
using test::Entry;
using test::KindsOf;
using test::kNothing;
using test::kSector;
using test::Medium;
using test::Names;
using test::Of;
using test::Partition;
using test::Refused;
using test::Remove;
using test::Sectors;
using test::Table;
using test::Touched;
using Kind = Verdict::Kind;

TEST_CASE("mbr: half an entry stays, and is no place for a new one") {
  Medium medium(1000);
  medium.PutEntry(0, 0, 0, 70, 80);
  medium.PutEntry(0, 1, 0x83, 100, 50);
  medium.PutEntry(0, 2, 0x82, 0, 0);
  CHECK(KindsOf(Table(medium).verdicts) == std::vector{Kind::kHalfEntry, Kind::kHalfEntry});
  CHECK(Touched(medium, kNothing).empty());
  const auto touched = Touched(
      medium, [](PartitionTable& table) { table.partitions.push_back(Partition(PartitionEntry::kAnyIndex, 500, 10)); });
  CHECK(*touched.begin() >= kMbrEntriesAt + 48);
  CHECK(Names(Table(medium)) == "s2 s4");
}

TEST_CASE("mbr: what a slot without a partition holds stays") {
  Medium medium(1000);
  medium.PutEntry(0, 0, 0x83, 100, 50);
  medium.PutEntry(0, 1, 0, 0x07000000, 0);  // found by the fuzzer
  medium.PutEntry(0, 2, 0, 0, 0, 0x80);
  CHECK(Table(medium).verdicts.empty());
  CHECK(Touched(medium, kNothing).empty());
  CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Of(t, "s1").type = 0x82; })) == std::set<size_t>{0});
  CHECK(medium.bytes[kMbrEntriesAt + kMbrEntryBytes + 11] == 7);
  CHECK(medium.bytes[kMbrEntriesAt + 2 * kMbrEntryBytes] == 0x80);
}

TEST_CASE("mbr: a slice that ends behind the disk, as a dedicated FreeBSD disk has it, is no reason to refuse") {
  Medium medium(1000);
  medium.PutEntry(0, 1, 0x83, 10, 5);
  medium.PutEntry(0, 3, 0xa5, 0, 50000, 0x80);
  CHECK(Table(medium).verdicts.size() == 2);
  CHECK(Touched(medium, kNothing).empty());
  CHECK(Touched(medium, [](PartitionTable& t) { Of(t, "s2").bootable = true; }).size() == 1);
  CHECK(Refused(medium, [](PartitionTable& t) { Of(t, "s4").size += 512; }).size() == 1);
}

TEST_CASE("ebr: an extended partition that begins behind the disk is no reason to refuse, and gets no link") {
  Medium medium(1000);
  medium.PutEntry(0, 0, 0x83, 10, 5);
  medium.PutEntry(0, 1, 0x05, 2000, 100);
  CHECK(Table(medium).verdicts.size() == 1);
  CHECK(Touched(medium, kNothing).empty());
  CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Of(t, "s1").bootable = true; })) == std::set<size_t>{0});
  CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Remove(t, "s2"); })) == std::set<size_t>{0});
}

TEST_CASE("ebr: a pointer that says too small a size says so until the partition there changes") {
  Medium medium = ChainMedium();
  medium.PutEntry(1000, 1, 0x05, 500, 1);  // found by the fuzzer
  CHECK(Touched(medium, kNothing).empty());
  CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Of(t, "s6").type = 0x82; })) == std::set<size_t>{1500});
  CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Of(t, "s6").size += 512; })) == std::set<size_t>{1000, 1500});
}

TEST_CASE("ebr: links stay where they are") {
  Medium medium = ChainMedium();
  CHECK(Names(Table(medium)) == "s1 s2(s5 s6 s7)");
  CHECK(Touched(medium, kNothing).empty());
  CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Of(t, "s1").bootable = true; })) == std::set<size_t>{0});
  CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Of(t, "s6").type = 0x82; })) == std::set<size_t>{1500});
  // Given without a table the chain stays as well.
  CHECK(Touched(medium, [](PartitionTable& t) { Of(t, "s2").table.reset(); }).empty());
  // A new one: the first free sector in front of it, and the pointer of the last one.
  const auto added = Touched(medium, [](PartitionTable& t) {
    ChainOf(t).partitions.push_back(Partition(PartitionEntry::kAnyIndex, 2200, 50));
  });
  CHECK(Sectors(added) == std::set<size_t>{2000, 2101});
  CHECK(*added.lower_bound(2101 * kSector) >= 2101 * kSector + kMbrEntriesAt);
  CHECK(Names(Table(medium)) == "s1 s2(s5 s6 s7 s8)");
  // One that goes leaves the pointer that led from it to the one that led to it.
  CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Remove(ChainOf(t), "s6"); })) == std::set<size_t>{1000});
  CHECK(Names(Table(medium)) == "s1 s2(s5 s6 s7)");
  CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Remove(ChainOf(t), "s5"); })) == std::set<size_t>{1000});
  CHECK(Names(Table(medium)) == "s1 s2(s5 s6)");
  CHECK(Entry(Table(medium), "s5").start == 2001 * kSector);
  CHECK(Table(medium).partitions[1].table->verdicts.empty());
}

TEST_CASE("ebr: a link without a partition goes when one comes to lie there; over one with a partition none may") {
  Medium medium = ChainMedium();
  const auto add = [](uint64_t start) {
    return [=](PartitionTable& t) { ChainOf(t).partitions.push_back(Partition(PartitionEntry::kAnyIndex, start, 50)); };
  };
  CHECK(Refused(medium, add(1951)) == std::vector{Kind::kCoversLink});
  CHECK(Refused(medium, add(1610)) == std::vector{Kind::kNoLink});
  static_cast<void>(Touched(medium, add(1690)));
  CHECK(Names(Table(medium)) == "s1 s2(s5 s6 s7 s8)");
  CHECK(Table(medium).partitions[1].table->verdicts.empty());
}

TEST_CASE("ebr: a third entry of a link stays; its partition cannot go without it") {
  Medium medium = ChainMedium();
  medium.PutEntry(1000, 2, 0x82, 300, 20);
  CHECK(KindsOf(Table(medium).partitions[1].table->verdicts) == std::vector{Kind::kExtraEntry});
  CHECK(Touched(medium, kNothing).empty());
  CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Of(t, "s5").type = 0x82; })) == std::set<size_t>{1000});
  CHECK(medium.bytes[1000 * kSector + kMbrEntriesAt + 2 * 16 + 4] == 0x82);
  CHECK(Refused(medium, [](PartitionTable& t) { Remove(ChainOf(t), "s5"); }) == std::vector{Kind::kExtraEntry});
}

TEST_CASE("ebr: of a chain that is longer than what is read the rest is kept, and nothing may come to lie on it") {
  Medium medium(4000);
  medium.PutEntry(0, 1, 0x05, 1000, 3000);
  for (uint32_t i = 0; i < 300; i++) {
    medium.PutEntry(1000 + 4 * i, 0, 0x83, 1, 2);
    if (i < 299) medium.PutEntry(1000 + 4 * i, 1, 0x05, 4 * (i + 1), 4);
  }
  CHECK(Table(medium).partitions[0].table->partitions.size() == kMaxLogical);
  CHECK(Touched(medium, kNothing).empty());
  CHECK(Refused(medium, [](PartitionTable& t) { ChainOf(t).partitions.back().size += 512; }) ==
        std::vector{Kind::kChainTooLong});
  CHECK(Refused(medium, [](PartitionTable& t) {
          Remove(ChainOf(t), "s5");
          ChainOf(t).partitions.push_back(Partition(PartitionEntry::kAnyIndex, 3900, 5));
        }) == std::vector{Kind::kChainTooLong});
  static_cast<void>(Touched(medium, [](PartitionTable& t) { ChainOf(t).partitions.pop_back(); }));
  const PartitionTable table = Table(medium);
  CHECK(table.partitions[0].table->partitions.size() == kMaxLogical);
  CHECK(table.partitions[0].table->partitions.back().start == (1000 + 4 * 256 + 1) * kSector);
}

TEST_CASE("ebr: a chain that loops or breaks off stays so, until a partition is added") {
  for (const uint32_t link : {0, 3000, 800}) {
    Medium medium = ChainMedium();
    medium.PutEntry(2000, 1, 0x05, link, 10);
    CHECK(Table(medium).partitions[1].table->verdicts.size() == 1);
    CHECK(Touched(medium, kNothing).empty());
    CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Of(t, "s7").type = 0x82; })) == std::set<size_t>{2000});
    CHECK(Table(medium).partitions[1].table->verdicts.size() == 1);
    static_cast<void>(Touched(medium, [](PartitionTable& t) {
      ChainOf(t).partitions.push_back(Partition(PartitionEntry::kAnyIndex, 2200, 50));
    }));
    CHECK(Table(medium).partitions[1].table->verdicts.empty());
    CHECK(Names(Table(medium)) == "s1 s2(s5 s6 s7 s8)");
  }
}

}  // namespace
}  // namespace blk
