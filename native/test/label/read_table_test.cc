// ReadPartitionTable and FindLabel over media that are put together byte by byte. Tables of real tools:
// test/partitions*.
#include "core/label/read_table.h"

#include "core/label/write_label.h"

#include "test/support/check.h"
#include "test/support/memory_source.h"

namespace blk {
namespace {

using test::Entry;
using test::Gpt;
using test::HasTable;
using test::KindsOf;
using test::Medium;
using test::Names;
using test::Table;
using Kind = Verdict::Kind;

TEST_CASE("a medium without a table has none, whatever its size") {
  for (const size_t sectors : {0, 1, 2, 3, 8, 64}) {
    Medium medium(sectors);
    CHECK_FALSE(HasTable(medium));
    CHECK_FALSE(FindLabel(medium).value().has_value());
  }
  test::MemorySource odd(std::vector<uint8_t>(700));
  CHECK_FALSE(HasTable(odd));
}

TEST_CASE("mbr: entries in their slots, with names by slot") {
  Medium medium(1000);
  medium.PutEntry(0, 0, 0x83, 10, 100, 0x80);
  medium.PutEntry(0, 3, 0x0c, 200, 300);
  Store<uint32_t>(&medium.bytes[kMbrIdAt], 0xdeadbeef);
  const PartitionTable table = Table(medium);
  CHECK(table.scheme == Scheme::kMbr);
  CHECK(table.disk_id == 0xdeadbeef);
  CHECK(Names(table) == "s1 s4");
  CHECK(table.partitions[0].bootable);
  CHECK(table.partitions[1].index == 3);
  CHECK(table.partitions[1].start == 200 * 512);
  CHECK(table.partitions[1].size == 300 * 512);
  CHECK(table.partitions[1].type == 0x0c);
  CHECK(table.verdicts.empty());
}

TEST_CASE("mbr: counted in what the medium calls a sector, the labels in its slices too") {
  Medium medium(1000, 4096);
  medium.PutEntry(0, 0, 0xa9, 10, 100);
  medium.PutLabel(11 * 4096, {{100, 160, 0, 7, 0, 0}});
  CHECK(Table(medium).partitions[0].start == 10 * 4096);
  CHECK(Names(Table(medium)) == "s1(s1a)");
  CHECK(FindLabel(medium).value()->found.position == 11 * 4096);
}

TEST_CASE("mbr: boot code with a flag that is none, or a file system over the whole disk, divides nothing") {
  Medium medium(1000);
  medium.PutEntry(0, 0, 0x83, 10, 100, 0x7f);
  CHECK_FALSE(HasTable(medium));
  Medium fat(1000);
  fat.PutEntry(0, 0, 0, 0, 0);
  CHECK(Names(Table(fat)).empty());
  std::copy_n("FAT16", 5, fat.bytes.begin() + 54);
  CHECK_FALSE(HasTable(fat));
  fat.PutEntry(0, 0, 0x83, 10, 100);
  CHECK(Names(Table(fat)) == "s1");
}

TEST_CASE("mbr: overlaps and ends beyond the medium are verdicts, and only the latter make an entry unusable") {
  Medium medium(1000);
  medium.PutEntry(0, 0, 0x83, 10, 100);
  medium.PutEntry(0, 1, 0x83, 50, 10);
  medium.PutEntry(0, 2, 0x83, 990, 11);
  medium.PutEntry(0, 3, 0x83, 0xffffffff, 0xffffffff);
  const PartitionTable table = Table(medium);
  CHECK(KindsOf(table.verdicts) == std::vector{Kind::kBeyondDevice, Kind::kBeyondDevice, Kind::kOverlaps});
  CHECK(table.partitions[0].usable);
  CHECK(table.partitions[1].usable);
  CHECK_FALSE(table.partitions[2].usable);
  CHECK_FALSE(table.partitions[3].usable);
}

TEST_CASE("ebr: the chain, its names on from s5, and where it is relative to what") {
  Medium medium(4000);
  medium.PutEntry(0, 1, 0x0f, 1000, 3000);
  medium.PutEntry(1000, 0, 0x83, 63, 100);
  medium.PutEntry(1000, 1, 0x05, 500, 200);  // from the start of the extended partition
  medium.PutEntry(1500, 0, 0x82, 10, 100);   // from its own sector
  const PartitionTable table = Table(medium);
  CHECK(Names(table) == "s2(s5 s6)");
  CHECK(table.partitions[0].table->scheme == Scheme::kEbr);
  CHECK(table.partitions[0].table->position == 1000 * 512);
  CHECK(Entry(table, "s5").start == 1063 * 512);
  CHECK(Entry(table, "s6").start == 1510 * 512);
  CHECK(table.partitions[0].table->verdicts.empty());
}

TEST_CASE("ebr: chains that loop, leave, break off or do not end stop with a verdict") {
  const auto chain_of = [](uint32_t link, uint32_t at_lba) {
    Medium medium(4000);
    medium.PutEntry(0, 0, 0x05, 1000, 2000);
    medium.PutEntry(1000, 0, 0x83, 1, 10);
    medium.PutEntry(1000, 1, 0x05, 100, 100);
    medium.PutEntry(1100, 0, 0x83, 1, 10);
    medium.PutEntry(1100, 1, 0x05, link, 100);
    if (at_lba != 0) medium.PutEntry(at_lba, 0, 0x83, 1, 10);
    return Table(medium);
  };
  CHECK(KindsOf(chain_of(100, 0).partitions[0].table->verdicts) == std::vector{Kind::kChainLoops});
  CHECK(KindsOf(chain_of(0, 0).partitions[0].table->verdicts) == std::vector{Kind::kChainLoops});
  CHECK(KindsOf(chain_of(2000, 0).partitions[0].table->verdicts) == std::vector{Kind::kChainLeaves});
  CHECK(KindsOf(chain_of(0xffffffff, 0).partitions[0].table->verdicts) == std::vector{Kind::kChainLeaves});
  CHECK(KindsOf(chain_of(300, 0).partitions[0].table->verdicts) == std::vector{Kind::kChainBroken});
  CHECK(Names(chain_of(300, 1300)) == "s1(s5 s6 s7)");

  Medium endless(4000);
  endless.PutEntry(0, 0, 0x05, 1000, 3000);
  for (uint32_t i = 0; i < 1000; i++) {
    endless.PutEntry(1000 + 2 * i, 0, 0x83, 1, 1);
    endless.PutEntry(1000 + 2 * i, 1, 0x05, 2 * (i + 1), 2);
  }
  const PartitionTable table = Table(endless);
  CHECK(table.partitions[0].table->partitions.size() == kMaxLogical);
  CHECK(KindsOf(table.partitions[0].table->verdicts) == std::vector{Kind::kChainTooLong});
}

TEST_CASE("ebr: a logical partition outside of its extended one is not usable") {
  Medium medium(4000);
  medium.PutEntry(0, 0, 0x05, 1000, 1000);
  medium.PutEntry(1000, 0, 0x83, 63, 1000);
  const PartitionTable table = Table(medium);
  CHECK(KindsOf(table.partitions[0].table->verdicts) == std::vector{Kind::kOutsideContainer});
  CHECK_FALSE(Entry(table, "s5").usable);
}

TEST_CASE("bsd: found in sector 1, at byte 64 and byte 128 of sector 0, in both byte orders") {
  for (const uint64_t position : {512, 64, 128, 4096}) {
    for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
      Medium medium(1000);
      medium.PutLabel(position, {{100, 16, 1024, 7, 8, 16}, {}, {1000, 0, 0, 0, 0, 0}}, order);
      const PartitionTable table = Table(medium);
      INFO("at " << position);
      CHECK(table.scheme == Scheme::kBsd);
      CHECK(table.position == position);
      CHECK(table.order == order);
      CHECK(table.verdicts.empty());
      CHECK(Names(table) == "a c");
      CHECK(table.partitions[0].start == 16 * 512);
      CHECK(table.partitions[0].size == 100 * 512);
      const auto placed = FindLabel(medium).Take();
      REQUIRE(placed.has_value());
      CHECK(placed->found.position == position);
      CHECK(placed->found.decoded.label.partitions[0].cpg == 16);
    }
  }
}

TEST_CASE("bsd: one that a kernel would not take is shown with its verdict, behind one that it would") {
  Medium medium(1000);
  medium.PutLabel(512, {{100, 16, 0, 7, 0, 0}});
  medium.bytes[512 + 20] ^= 0x40;
  CHECK(KindsOf(Table(medium).verdicts) == std::vector{Kind::kChecksum});
  CHECK_FALSE(FindLabel(medium).value().has_value());
  medium.PutLabel(64, {{100, 16, 0, 7, 0, 0}});
  CHECK(Table(medium).position == 64);
  CHECK(FindLabel(medium).value()->found.position == 64);
}

TEST_CASE("bsd: in a slice: absolute offsets, FreeBSD's relative ones, and names that go on from the slice's") {
  for (const uint8_t type : {0xa5, 0xa6, 0xa9}) {
    Medium medium(4000);
    medium.PutEntry(0, 1, type, 1000, 2000);
    medium.PutLabel(1001 * 512, {{100, 1100, 0, 7, 0, 0}, {}, {2000, 1000, 0, 0, 0, 0}, {4000, 0, 0, 0, 0, 0}});
    const PartitionTable table = Table(medium);
    CHECK(Names(table) == "s2(s2a s2c s2d)");
    CHECK(Entry(table, "s2a").start == 1100 * 512);
    CHECK(Entry(table, "s2c").usable);
    CHECK_FALSE(Entry(table, "s2d").usable);  // the whole disk is more than the slice; by convention, so no verdict
    CHECK(table.partitions[0].table->verdicts.empty());
    CHECK(FindLabel(medium).value()->slice.name == "s2");
  }
  Medium relative(4000);
  relative.PutEntry(0, 0, 0xa5, 1000, 2000);
  relative.PutLabel(1001 * 512, {{100, 16, 0, 7, 0, 0}, {}, {2000, 0, 0, 0, 0, 0}});
  CHECK(Entry(Table(relative), "s1a").start == 1016 * 512);
}

TEST_CASE("bsd: a label in a logical partition, and one that reaches out of its slice") {
  Medium medium(4000);
  medium.PutEntry(0, 0, 0x05, 1000, 3000);
  medium.PutEntry(1000, 0, 0xa9, 100, 500);
  medium.PutLabel(1101 * 512, {{100, 1200, 0, 7, 0, 0}, {600, 1500, 0, 7, 0, 0}});
  const PartitionTable table = Table(medium);
  CHECK(Names(table) == "s1(s5(s5a s5b))");
  CHECK(Entry(table, "s5a").usable);
  CHECK_FALSE(Entry(table, "s5b").usable);
  CHECK(KindsOf(Entry(table, "s5").table->verdicts) == std::vector{Kind::kOutsideContainer});
}

TEST_CASE("bsd: on sectors of 4096 bytes a slice's label lies behind one of them, or behind 512 bytes") {
  for (const uint64_t into : {512, 4096}) {
    Medium medium(1000, 4096);
    medium.PutEntry(0, 0, 0xa9, 100, 200);
    medium.PutLabel(100 * 4096 + into, {{100, 120, 0, 7, 0, 0}});
    const PartitionTable table = Table(medium);
    CHECK(Names(table) == "s1(s1a)");
    CHECK(Entry(table, "s1a").start == 120 * 4096);  // counted so, although the label says 512
    CHECK(FindLabel(medium).value()->found.position == 100 * 4096 + into);
  }
}

TEST_CASE("bsd: a slice that ends before its sector 1 has no label, whatever lies there") {
  Medium medium(1000);
  medium.PutEntry(0, 0, 0xa9, 100, 1);
  medium.PutEntry(0, 1, 0x83, 101, 10);
  medium.PutLabel(101 * 512, {{1, 100, 0, 7, 0, 0}});
  CHECK(Names(Table(medium)) == "s1 s2");
  CHECK_FALSE(FindLabel(medium).value().has_value());
  CHECK(PlaceForLabel(medium).status().err == EINVAL);
}

TEST_CASE("a label and a GUID that two partitions share name neither") {
  Medium medium(1000);
  medium.PutGpt({Gpt(100, 199, 1, u"data"), Gpt(200, 299, 1, u"data"), Gpt(300, 399, 2, u"p1")});
  const PartitionTable table = Table(medium);
  CHECK_FALSE(FindPartition(table, "data").has_value());
  CHECK_FALSE(FindPartition(table, "01010101-0101-0101-0101-010101010101").has_value());
  CHECK_FALSE(FindPartition(table, "").has_value());
  CHECK_FALSE(FindPartition(table, "p4").has_value());
  CHECK(Entry(table, "p1").index == 0);  // a name goes before a label
}

TEST_CASE("a medium that fails to read is an error, at any read") {
  Medium medium(4000);
  medium.PutEntry(0, 0, 0x05, 1000, 3000);
  medium.PutEntry(1000, 0, 0xa9, 100, 500);
  medium.PutLabel(1101 * 512, {{100, 1200, 0, 7, 0, 0}});
  CHECK(ReadPartitionTable(medium).ok());
  const uint64_t reads = medium.reads;
  for (uint64_t i = 1; i <= reads; i++) {
    medium.reads = 0;
    medium.fail_at = i;
    CHECK(ReadPartitionTable(medium).status().err == EIO);
  }
}

}  // namespace
}  // namespace blk
