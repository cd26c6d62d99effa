// PlanTable: what is on the medium between two of its writes, and what it leaves alone.
#include "core/label/write_table.h"

#include "test/support/check.h"
#include "test/support/memory_source.h"

namespace blk {
namespace {

using test::Entry;
using test::Gpt;
using test::KindsOf;
using Kind = Verdict::Kind;
using test::Medium;
using test::Names;
using test::Table;

PartitionEntry Partition(uint32_t index, uint64_t start, uint64_t sectors, uint8_t type = 0x83) {
  PartitionEntry entry;
  entry.index = index;
  entry.start = start * 512;
  entry.size = sectors * 512;
  entry.type = type;
  entry.type_guid.bytes.fill(0x11);
  entry.uuid.bytes.fill(static_cast<uint8_t>(index + 1));
  return entry;
}
PartitionTable Make(Scheme scheme, std::vector<std::pair<uint64_t, uint64_t>> spans) {
  PartitionTable table;
  table.scheme = scheme;
  table.position = 512;
  for (const auto& [start, sectors] : spans) {
    table.partitions.push_back(Partition(static_cast<uint32_t>(table.partitions.size()), start, sectors));
  }
  return table;
}
void Put(Medium& medium, const TableWrite& write) {
  std::copy(write.bytes.begin(), write.bytes.end(), medium.bytes.begin() + static_cast<ptrdiff_t>(write.position));
}
void Apply(Medium& medium, PartitionTable& table) {
  const auto plan = PlanTable(medium, table);
  REQUIRE(plan.ok());
  REQUIRE_FALSE(HasVerdict(table));
  for (const auto& step : plan.value()) {
    for (const TableWrite& write : step) Put(medium, write);
  }
}

TEST_CASE("gpt: after every write, and after any part of one, the old table is there or the new one") {
  enum class Damage { kNone, kPrimary, kBackup };
  for (const Damage damage : {Damage::kNone, Damage::kPrimary, Damage::kBackup}) {
    Medium medium(1000);
    PartitionTable old = Make(Scheme::kGpt, {{100, 50}});
    Apply(medium, old);
    if (damage == Damage::kPrimary) medium.bytes[512 + 60] ^= 1;
    if (damage == Damage::kBackup) medium.bytes[999 * 512 + 60] ^= 1;
    PartitionTable fresh = Make(Scheme::kGpt, {{200, 60}, {300, 70}});
    const auto plan = PlanTable(medium, fresh);
    REQUIRE(plan.ok());
    REQUIRE(plan.value().size() == 2);
    for (const auto& step : plan.value()) {
      for (const TableWrite& write : step) {
        for (const size_t part : {size_t{1}, write.bytes.size() / 2, write.bytes.size() - 1}) {
          Medium torn(medium);
          std::copy_n(write.bytes.begin(), part, torn.bytes.begin() + static_cast<ptrdiff_t>(write.position));
          const std::string names = Names(Table(torn));
          CHECK((names == "p1" || names == "p1 p2"));
        }
        Put(medium, write);
        const std::string names = Names(Table(medium));
        CHECK((names == "p1" || names == "p1 p2"));
      }
    }
    CHECK(Names(Table(medium)) == "p1 p2");
    CHECK(Table(medium).verdicts.empty());
  }
}

TEST_CASE("gpt: what was read from a wreck is not written over it, a new table is") {
  Medium medium(1000);
  PartitionTable old = Make(Scheme::kGpt, {{100, 50}});
  Apply(medium, old);
  medium.bytes[512 + 60] ^= 1;
  medium.bytes[999 * 512 + 60] ^= 1;
  PartitionTable wreck = Table(medium);
  CHECK(KindsOf(wreck.verdicts) == std::vector{Verdict::Kind::kHeaderBad});
  wreck.verdicts.clear();
  CHECK(PlanTable(medium, wreck).value().empty());
  CHECK(KindsOf(wreck.verdicts) == std::vector{Verdict::Kind::kHeaderBad});
  PartitionTable fresh = Make(Scheme::kGpt, {{200, 60}});
  Apply(medium, fresh);
  CHECK(Table(medium).verdicts.empty());
}

TEST_CASE("bsd: one whose checksum does not hold keeps what else it says") {
  Medium medium(1000);
  medium.PutLabel(512, {{100, 16, 0, 7, 0, 0}});
  medium.bytes[512 + 24] = 'X';  // pack name
  PartitionTable table = Table(medium);
  CHECK(KindsOf(table.verdicts) == std::vector{Verdict::Kind::kChecksum});
  table.verdicts.clear();
  Apply(medium, table);
  CHECK(Table(medium).verdicts.empty());
  CHECK(medium.bytes[512 + 24] == 'X');
}

TEST_CASE("gpt: one that begins late does so still when it comes from the backup") {
  for (const bool damaged : {false, true}) {
    Medium medium(4000);
    medium.PutGpt({Gpt(2048, 2100, 1)});
    medium.header.first_usable = 2048;
    medium.header.last_usable = 3900;
    medium.PutGptCopy(1, 3999, 2);
    medium.PutGptCopy(3999, 1, 3999 - 32);
    const std::vector<uint8_t> whole = medium.bytes;
    if (damaged) medium.bytes[512] ^= 1;
    PartitionTable table = Table(medium);
    table.verdicts.clear();
    Apply(medium, table);
    CHECK(std::equal(whole.begin() + 512, whole.end(), medium.bytes.begin() + 512));
  }
}

TEST_CASE("mbr: until its last write the old partitions are the ones of sector 0") {
  Medium medium(4000);
  PartitionTable old = Make(Scheme::kMbr, {{100, 50}});
  Apply(medium, old);
  PartitionTable fresh = Make(Scheme::kMbr, {{100, 60}, {1000, 2000}});
  fresh.partitions[1].type = 0x05;
  fresh.partitions[1].table = std::make_unique<PartitionTable>(Make(Scheme::kEbr, {{1100, 10}, {1200, 10}}));
  const auto plan = PlanTable(medium, fresh);
  REQUIRE(plan.ok());
  for (size_t step = 0; step < plan.value().size(); step++) {
    CHECK(Entry(Table(medium), "s1").size == 50 * 512);
    for (const TableWrite& write : plan.value()[step]) Put(medium, write);
  }
  CHECK(Names(Table(medium)) == "s1 s2(s5 s6)");
}

TEST_CASE("every byte outside of the tables stays") {
  for (const Scheme scheme : {Scheme::kMbr, Scheme::kGpt, Scheme::kBsd}) {
    Medium medium(1000);
    for (size_t i = 0; i < medium.bytes.size(); i++) medium.bytes[i] = static_cast<uint8_t>(i * 7 + i / 512);
    const std::vector<uint8_t> before = medium.bytes;
    PartitionTable table = Make(scheme, {{100, 50}});
    Apply(medium, table);
    for (size_t at = 0; at < medium.bytes.size(); at++) {
      const size_t sector = at / 512;
      const bool mbr = scheme != Scheme::kBsd && at >= 440 && at < 512;
      const bool gpt = scheme == Scheme::kGpt && ((sector >= 1 && sector <= 33) || sector >= 967);
      const bool bsd = scheme == Scheme::kBsd && at >= 512 && at < 512 + 404;
      if (!mbr && !gpt && !bsd) REQUIRE(medium.bytes[at] == before[at]);
    }
  }
}

TEST_CASE("bsd: no byte behind the last partition of a label changes, and it does not grow over what lies there") {
  for (const uint64_t at : {512, 10 * 512 + 512, 64, 128}) {
    CAPTURE(at);
    Medium medium(1000);
    const bool slice = at > 4096;
    if (slice) medium.PutEntry(0, 0, 0xa5, 10, 900);
    medium.PutLabel(at, {{100, 16, 0, 7, 0, 0}, {}, {}, {}, {}, {}, {}, {}});  // as FreeBSD's: eight partitions
    const uint64_t code = at + kLabelHeaderBytes + 8 * kPartitionBytes;
    for (uint64_t i = code; i < AlignUp(at + 1, 512); i++) {
      if (i < kMbrEntriesAt || i >= 512) medium.bytes[i] = static_cast<uint8_t>(i | 1);
    }
    const auto before = medium.bytes;
    PartitionTable table = Table(medium);
    PartitionTable& label = slice ? *table.partitions[0].table : table;
    label.partitions[0].size -= 512;
    Apply(medium, table);
    CHECK(std::equal(before.begin() + static_cast<ptrdiff_t>(code), before.end(),
                     medium.bytes.begin() + static_cast<ptrdiff_t>(code)));
    CHECK(Table(medium).verdicts.empty());

    PartitionEntry ninth;
    ninth.index = 8;
    ninth.start = 200 * 512;
    ninth.size = 512;
    ninth.type = 7;
    label.partitions.push_back(std::move(ninth));
    CHECK(PlanTable(medium, table).value().empty());
    CHECK(KindsOf(label.verdicts) == std::vector{Kind::kBehindLabel});
  }
}

TEST_CASE("the checksum of an alpha's boot block is kept true, and made for no other") {
  for (const bool alpha : {false, true}) {
    Medium medium(1000);
    medium.PutLabel(64, {{50, 100, 0, 7, 0, 0}});
    const auto sum = [&] {
      uint64_t total = 0;
      for (size_t at = 0; at < 504; at += 8) total += Load<uint64_t>(&medium.bytes[at]);
      return total;
    };
    if (alpha) Store<uint64_t>(&medium.bytes[504], sum());
    PartitionTable table = Make(Scheme::kBsd, {{200, 50}});
    table.position = 64;
    Apply(medium, table);
    CHECK((Load<uint64_t>(&medium.bytes[504]) == sum()) == alpha);
    CHECK(Table(medium).partitions[0].start == 200 * 512);
  }
}

TEST_CASE("a table counts in sectors with which it will be read, by default the medium's") {
  using Kind = Verdict::Kind;
  const auto verdicts = [](Scheme scheme, uint64_t sectors_of, uint64_t medium_sectors) {
    Medium medium(4000, medium_sectors);
    PartitionTable table = Make(scheme, {{800, 80}});
    table.sector_size = sectors_of;
    const auto plan = PlanTable(medium, table);
    CHECK(table.sector_size == (sectors_of != 0 ? sectors_of : medium_sectors));
    return KindsOf(table.verdicts);
  };
  const std::vector<Kind> bad = {Kind::kBadSectors};
  for (const uint64_t medium_sectors : {512, 4096}) {
    for (const Scheme scheme : {Scheme::kMbr, Scheme::kGpt, Scheme::kBsd}) {
      CHECK(verdicts(scheme, 0, medium_sectors).empty());
      CHECK(verdicts(scheme, medium_sectors, medium_sectors).empty());
    }
    CHECK(verdicts(Scheme::kGpt, 4608 - medium_sectors, medium_sectors).empty());
    CHECK(verdicts(Scheme::kGpt, 1024, medium_sectors).empty());
    CHECK(verdicts(Scheme::kGpt, 8192, medium_sectors) == bad);
    CHECK(verdicts(Scheme::kMbr, 4608 - medium_sectors, medium_sectors) == bad);
    CHECK(verdicts(Scheme::kBsd, 8192, medium_sectors).empty());
  }
  CHECK(verdicts(Scheme::kBsd, 1024, 512).empty());
  CHECK(verdicts(Scheme::kBsd, 1024, 4096) == bad);
  Medium medium(4000);
  PartitionTable table = Make(Scheme::kMbr, {{1000, 2000}});
  table.partitions[0].type = 0x05;
  table.partitions[0].table = std::make_unique<PartitionTable>(Make(Scheme::kEbr, {{1008, 8}}));
  table.partitions[0].table->sector_size = 4096;
  CHECK(PlanTable(medium, table).value().empty());
  CHECK(KindsOf(table.partitions[0].table->verdicts) == bad);
}

TEST_CASE("bsd: a label in a slice is written where one lies, and never behind its slice") {
  for (const uint64_t into : {512, 4096}) {
    Medium medium(1000, 4096);
    medium.PutEntry(0, 0, 0xa9, 100, 200);
    medium.PutLabel(100 * 4096 + into, {{100, 800, 0, 7, 0, 0}});
    medium.bytes[100 * 4096 + into + 8] ^= 1;  // not even one that holds
    PartitionTable table = Make(Scheme::kMbr, {{800, 1600}});
    table.sector_size = 0;
    table.partitions[0].type = 0xa9;
    table.partitions[0].table = std::make_unique<PartitionTable>(Make(Scheme::kBsd, {{904, 104}}));
    table.partitions[0].table->sector_size = 0;
    Apply(medium, table);
    CHECK(Entry(Table(medium), "s1a").start == 904 * 512);
    CHECK(Table(medium).partitions[0].table->position == 100 * 4096 + into);
    CHECK(Table(medium).partitions[0].table->verdicts.empty());
  }
  Medium medium(1000);
  PartitionTable table = Make(Scheme::kMbr, {{100, 1}, {101, 10}});
  table.partitions[0].type = 0xa9;
  table.partitions[0].table = std::make_unique<PartitionTable>(Make(Scheme::kBsd, {}));
  CHECK(PlanTable(medium, table).value().empty());
  CHECK(KindsOf(table.partitions[0].table->verdicts) == std::vector{Verdict::Kind::kNoRoom});
}

TEST_CASE("mbr: an extended partition without a chain gets an empty one, and keeps one that is there") {
  Medium medium(4000);
  std::fill(medium.bytes.begin(), medium.bytes.end(), uint8_t{0x11});
  for (const char* names : {"s1()", "s1(s5)"}) {
    PartitionTable table = Make(Scheme::kMbr, {{1000, 2000}});
    table.partitions[0].type = 0x05;
    Apply(medium, table);
    CHECK(Names(Table(medium)) == names);
    CHECK(Table(medium).partitions[0].table->verdicts.empty());
    medium.PutEntry(1000, 0, 0x83, 10, 10);
  }
}

TEST_CASE("a medium that fails to read is an error, and a plan is none") {
  Medium medium(4000);
  PartitionTable table = Make(Scheme::kGpt, {{100, 50}});
  for (uint64_t i = 1; i < 12; i++) {
    medium.reads = 0;
    medium.fail_at = i;
    const auto plan = PlanTable(medium, table);
    if (medium.reads < i) break;
    CHECK(plan.status().err == EIO);
  }
}

}  // namespace
}  // namespace blk
