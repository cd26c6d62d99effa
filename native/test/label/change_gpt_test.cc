// PlanTable over GPTs that somebody else made: which bytes a change touches, and what it refuses.
#include <set>

#include "core/label/write_table.h"
#include "test/support/check.h"
#include "test/support/memory_source.h"
#include "test/support/table_change.h"

namespace blk {
namespace {

using test::Entry;
using test::Gpt;
using test::Hybrid;
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

// A GPT of `count` entries of `entry_bytes`, with headers of 128 bytes, other bytes behind them, and something in every
// gap.
Medium OddGpt(uint32_t count, uint32_t entry_bytes, uint64_t array_lba = 2) {
  Medium medium(1000);
  for (size_t i = 0; i < medium.bytes.size(); i++) medium.bytes[i] = static_cast<uint8_t>(i * 7 + i / kSector);
  std::fill_n(medium.bytes.begin() + kMbrEntriesAt, 64, uint8_t{0});
  medium.PutEntry(0, 0, kMbrProtective, 1, 999);
  medium.array.assign(size_t{count} * entry_bytes, 0);
  for (size_t slot = 0; slot < std::min<size_t>(count, 2); slot++) {
    EncodeGptEntry(Gpt(200 + 100 * slot, 299 + 100 * slot, static_cast<uint8_t>(slot + 1), u"one"),
                   &medium.array[slot * entry_bytes]);
    std::fill_n(&medium.array[slot * entry_bytes] + kGptEntryBytes, entry_bytes - kGptEntryBytes, uint8_t{0xe0});
  }
  const uint64_t sectors = (medium.array.size() + kSector - 1) / kSector;
  medium.header.revision = 0x00010001;
  medium.header.entry_count = count;
  medium.header.entry_bytes = entry_bytes;
  medium.header.header_bytes = 128;
  medium.header.first_usable = array_lba + sectors;
  medium.header.last_usable = 999 - sectors - 1;
  medium.PutGptCopy(1, 999, array_lba);
  medium.PutGptCopy(999, 1, 999 - sectors);
  for (const uint64_t lba : {1, 999}) {
    std::fill_n(&medium.bytes[lba * kSector + kGptHeaderBytes], 128 - kGptHeaderBytes, uint8_t{0xaa});
    std::vector<uint8_t> sector(&medium.bytes[lba * kSector], &medium.bytes[lba * kSector] + kSector);
    Store<uint32_t>(&medium.bytes[lba * kSector + kGptHeaderCrcAt], GptHeaderCrc(sector, 128));
  }
  return medium;
}

TEST_CASE("gpt: a change of an entry touches it and the checksums, whatever the layout") {
  for (const uint32_t count : {4, 7, 128}) {
    for (const uint32_t entry_bytes : {128, 256, 512}) {
      for (const uint64_t array_lba : {2, 60}) {
        Medium medium = OddGpt(count, entry_bytes, array_lba);
        REQUIRE(Table(medium).verdicts.empty());
        CHECK(Touched(medium, kNothing).empty());
        const auto touched = Touched(medium, [](PartitionTable& table) { table.partitions[0].attributes = 5; });
        const size_t backup_array = 999 * kSector - (size_t{count} * entry_bytes + kSector - 1) / kSector * kSector;
        for (const size_t at : touched) {
          bool allowed = false;
          for (const size_t header : {kSector, 999 * kSector}) {
            allowed = allowed || (at >= header + 16 && at < header + 20) || (at >= header + 88 && at < header + 92);
          }
          CHECK((allowed || at == array_lba * kSector + 48 || at == backup_array + 48));
        }
        CHECK(Table(medium).partitions[0].attributes == 5);
        CHECK(Table(medium).verdicts.empty());
      }
    }
  }
}

TEST_CASE("gpt: a header that says a wrong place of the other one is damage, and mended by a write") {
  for (const size_t lba : {1, 999}) {
    Medium medium = OddGpt(128, 128);
    const std::vector<uint8_t> whole = medium.bytes;
    uint8_t* header = &medium.bytes[lba * kSector];
    Store<uint64_t>(header + 32, 40);  // found by the fuzzer
    Store<uint32_t>(header + kGptHeaderCrcAt, GptHeaderCrc({header, header + kSector}, 128));
    CHECK(KindsOf(Table(medium).verdicts) == std::vector{Kind::kBackupDiffers});
    CHECK(Sectors(Touched(medium, kNothing)) == std::set<size_t>{lba});
    CHECK(medium.bytes == whole);
  }
}

TEST_CASE("gpt: what an entry has behind 128 bytes stays with its partition, and goes with it") {
  Medium medium = OddGpt(8, 256);
  static_cast<void>(Touched(medium, [](PartitionTable& table) { Of(table, "p1").size -= 10 * kSector; }));
  CHECK(medium.bytes[1024 + 200] == 0xe0);
  static_cast<void>(Touched(medium, [](PartitionTable& table) { Remove(table, "p1"); }));
  CHECK(std::count(&medium.bytes[1024], &medium.bytes[1024 + 256], 0) == 256);
  CHECK(medium.bytes[1024 + 256 + 200] == 0xe0);
  static_cast<void>(Touched(medium, [](PartitionTable& table) {
    Remove(table, "p2");
    table.partitions.push_back(Partition(1, 500, 10));
  }));
  CHECK(std::count(&medium.bytes[1024 + 256 + 128], &medium.bytes[1024 + 512], 0) == 128);
}

TEST_CASE("gpt: names keep lone surrogates, and what lies behind their NUL until they change") {
  Medium medium(1000);
  GptEntry odd = Gpt(200, 299, 1, std::u16string(u"a\xd800z\0rest", 8));
  medium.PutGpt({odd, Gpt(300, 399, 2)});
  CHECK(Table(medium).partitions[0].label == u"a\xd800z");
  static_cast<void>(Touched(medium, [](PartitionTable& table) { table.partitions[0].attributes = 1; }));
  CHECK(DecodeGptEntry(&medium.bytes[1024]).label == odd.label);
  static_cast<void>(Touched(medium, [](PartitionTable& table) { table.partitions[0].label = u"b"; }));
  CHECK(DecodeGptEntry(&medium.bytes[1024]).label[4] == 0);
}

TEST_CASE("gpt: entries that are no partition stay, until their index is asked for") {
  Medium medium(1000);
  medium.PutGpt({Gpt(299, 200, 1), Gpt(400, 499, 2), Gpt(5, UINT64_MAX - 1, 3)});
  const auto add = [](uint32_t index, uint64_t start) {
    return [=](PartitionTable& table) { table.partitions.push_back(Partition(index, start, 10)); };
  };
  static_cast<void>(Touched(medium, add(PartitionEntry::kAnyIndex, 600)));
  CHECK(Names(Table(medium)) == "p2 p4");
  CHECK(KindsOf(Table(medium).verdicts) == std::vector{Kind::kBackwards, Kind::kTooLarge});
  static_cast<void>(Touched(medium, add(0, 700)));
  CHECK(Names(Table(medium)) == "p1 p2 p4");
  CHECK(KindsOf(Table(medium).verdicts) == std::vector{Kind::kTooLarge});
}

TEST_CASE("gpt: an array grows where nothing lies, and else not") {
  const auto fifth = [](PartitionTable& table) { table.partitions.push_back(Partition(4, 500, 10)); };
  Medium full = OddGpt(4, 128);
  CHECK(Refused(full, fifth) == std::vector{Kind::kNoRoom});
  Medium free = OddGpt(4, 128);
  for (const size_t sector : {3, 997}) std::fill_n(free.bytes.begin() + static_cast<ptrdiff_t>(sector * 512), 512, 0);
  CHECK(Sectors(Touched(free, fifth)) == std::set<size_t>{1, 3, 997, 998, 999});
  CHECK(Names(Table(free)) == "p1 p2 p5");
  CHECK(Table(free).verdicts.empty());
}

TEST_CASE("gpt: a damaged primary header gets its array back where it was") {
  for (const bool header_only : {true, false}) {
    Medium medium = OddGpt(128, 128, 60);
    const std::vector<uint8_t> whole = medium.bytes;
    medium.bytes[512 + 60] ^= 1;
    if (!header_only) medium.bytes[60 * 512 + 5] ^= 1;
    static_cast<void>(Touched(medium, kNothing));
    CHECK(medium.bytes == whole);
  }
}

TEST_CASE("gpt: flaws that were there are no reason to refuse, those that are new are") {
  Medium medium(1000);
  medium.PutGpt({Gpt(200, 299, 1), Gpt(250, 349, 2), Gpt(10, 20, 3), Gpt(500, 599, 4)});
  CHECK(Table(medium).verdicts.size() == 2);
  CHECK(Refused(medium, [](PartitionTable& t) { Of(t, "p4").size += 512; }).empty());
  CHECK(Refused(medium, [](PartitionTable& t) { Of(t, "p2").size -= 512; }).empty());
  CHECK(Refused(medium, [](PartitionTable& t) { Of(t, "p3").size -= 512; }).empty());
  CHECK(Refused(medium, [](PartitionTable& t) { Of(t, "p1").size += 512; }) == std::vector{Kind::kOverlaps});
  CHECK(Refused(medium, [](PartitionTable& t) { Of(t, "p3").size += 512; }) == std::vector{Kind::kOutsideContainer});
  CHECK(Refused(medium, [](PartitionTable& t) { t.partitions.push_back(Partition(7, 290, 5)); }) ==
        std::vector{Kind::kOverlaps});
}

TEST_CASE("gpt: an array that is larger than what is read is told, and not written over") {
  Medium medium(40000);
  medium.PutEntry(0, 0, kMbrProtective, 1, 39999);
  medium.header.entry_count = 200000;
  medium.header.first_usable = 50000;
  medium.header.last_usable = 60000;
  medium.header.own_lba = 1;
  medium.header.other_lba = 39999;
  medium.header.array_lba = 2;
  Medium large(200000);
  large.header = medium.header;
  large.PutEntry(0, 0, kMbrProtective, 1, 199999);
  large.PutHeader(large.header);
  CHECK(KindsOf(Table(large).verdicts) == std::vector{Kind::kArrayTooLarge});
  CHECK(Refused(large, [](PartitionTable& t) { t.partitions.push_back(Partition(0, 100000, 10)); }) ==
        std::vector{Kind::kArrayTooLarge});
}

TEST_CASE("gpt: 2 MiB of entries, and sectors of 1024 and 2048 bytes") {
  Medium many(20000);
  many.header.entry_count = 16384;
  many.array.assign(16384 * 128, 0);
  EncodeGptEntry(Gpt(6000, 6999, 1), &many.array[16383 * 128]);
  many.PutEntry(0, 0, kMbrProtective, 1, 19999);
  many.header.first_usable = 5000;
  many.header.last_usable = 15000;
  many.PutGptCopy(1, 19999, 2);
  many.PutGptCopy(19999, 1, 19999 - 4096);
  CHECK(Names(Table(many)) == "p16384");
  CHECK(Table(many).verdicts.empty());
  CHECK(Touched(many, kNothing).empty());
  for (const size_t sector : {1024, 2048}) {
    Medium made(1000, sector);
    made.PutGpt({Gpt(200, 299, 1)});
    Medium file(1000 * sector / 512);
    file.bytes = made.bytes;
    CHECK(Table(file).sector_size == sector);
    CHECK(Table(file).verdicts.empty());
    CHECK(Touched(file, kNothing).empty());
    CHECK(Touched(file, [](PartitionTable& table) { table.partitions[0].label = u"x"; }).size() <= 18);
  }
}

TEST_CASE("hybrid: shown and kept in every order; a partition that comes over an entry is refused") {
  for (const auto& slots : std::vector<std::vector<uint32_t>>{{0, 1, 2}, {3, 0, 1}, {1, 0, 3}}) {
    Medium medium = Hybrid(slots);
    const PartitionTable table = Table(medium);
    REQUIRE(table.hybrid.has_value());
    CHECK(table.hybrid->size() == 3);
    CHECK(table.verdicts.empty());
    CHECK(Touched(medium, kNothing).empty());
    CHECK(Touched(medium, [](PartitionTable& t) { t.hybrid.reset(); }).empty());
    CHECK(Sectors(Touched(medium, [](PartitionTable& t) { t.partitions[0].attributes = 1; })).count(0) == 0);
    CHECK(Refused(medium, [](PartitionTable& t) { Of(t, "p2").size += 512; }) == std::vector{Kind::kHybridMisfit});
    CHECK(Sectors(Touched(medium, [](PartitionTable& t) { Of(t, "p2").size -= 512; })).count(0) == 0);
    CHECK(KindsOf(Table(medium).verdicts) == std::vector{Kind::kHybridMisfit});
    // With its entry it may.
    const auto both = [](PartitionTable& t) {
      Of(t, "p2").size += 2 * 512;
      for (PartitionEntry& entry : *t.hybrid) {
        if (entry.type == 0x0c) entry.size += 512;
      }
    };
    const auto touched = Touched(medium, both);
    CHECK(touched.lower_bound(kMbrEntriesAt + 16 * slots[2]) == touched.begin());
    CHECK(Table(medium).verdicts.empty());
    CHECK(Refused(medium, [](PartitionTable& t) { t.hybrid->erase(t.hybrid->begin()); }).size() ==
          (slots[0] == 0 ? 1 : 0));
    static_cast<void>(Touched(medium, [](PartitionTable& t) { t.hybrid.emplace(); }));
    CHECK_FALSE(Table(medium).hybrid.has_value());
    CHECK(Names(Table(medium)) == "p1 p2");
  }
}

}  // namespace
}  // namespace blk
