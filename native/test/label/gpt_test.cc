// GPTs that are put together byte by byte. Tables of real tools: test/partitions*.
#include "core/label/gpt.h"

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

TEST_CASE("gpt: entries by slot, labels, GUIDs; in sectors of 512 and of 4096 bytes") {
  for (const size_t sector : {512, 4096}) {
    Medium medium(1000, sector);
    GptEntry third = Gpt(300, 399, 3, u"h\u00f6me \U0001f4be");
    third.attributes = 0x8000000000000001;
    medium.PutGpt({Gpt(100, 199, 1), GptEntry(), third});
    const PartitionTable table = Table(medium);
    CHECK(table.scheme == Scheme::kGpt);
    CHECK(table.position == sector);
    CHECK(table.sector_size == sector);
    CHECK(table.verdicts.empty());
    CHECK(Names(table) == "p1 p3");
    CHECK(table.partitions[0].start == 100 * sector);
    CHECK(table.partitions[0].size == 100 * sector);
    CHECK(table.partitions[1].attributes == 0x8000000000000001);
    CHECK(Entry(table, "h\u00f6me \U0001f4be").name == "p3");
    CHECK(Entry(table, "03030303-0303-0303-0303-030303030303").name == "p3");
    CHECK(Entry(table, "p3").usable);
  }
}

TEST_CASE("gpt: a damaged copy is a verdict, and the other one is used") {
  const auto damaged = [](size_t at, bool from_end) {
    Medium medium(1000);
    medium.PutGpt({Gpt(100, 199, 1)});
    medium.bytes[from_end ? medium.bytes.size() - at : at] ^= 1;
    return Table(medium);
  };
  for (const size_t at : {512 + 0, 512 + 16, 512 + 24, 512 + 56, 1024 + 5, 1024 + 128 * 127}) {
    const PartitionTable table = damaged(at, false);
    CHECK(KindsOf(table.verdicts) == std::vector{Kind::kBackupUsed});
    CHECK(table.position == 999 * 512);
    CHECK(Names(table) == "p1");
  }
  for (const size_t at : {512, 512 - 40, 33 * 512}) {
    const PartitionTable table = damaged(at, true);
    CHECK(KindsOf(table.verdicts) == std::vector{Kind::kBackupBad});
    CHECK(Names(table) == "p1");
  }
  Medium both(1000);
  both.PutGpt({Gpt(100, 199, 1)});
  both.bytes[512 + 40] ^= 1;
  both.bytes[999 * 512 + 40] ^= 1;
  const PartitionTable table = Table(both);
  CHECK(KindsOf(table.verdicts) == std::vector{Kind::kHeaderBad});
  CHECK(table.partitions.empty());
}

TEST_CASE("gpt: numbers under a good checksum that no medium can have are not believed") {
  const auto with = [](auto&& change) {
    Medium medium(1000);
    medium.PutGpt({Gpt(100, 199, 1)});
    GptHeader header = DecodeGptHeader(&medium.bytes[512]);
    change(header);
    medium.PutHeader(header);
    return KindsOf(Table(medium).verdicts);
  };
  const std::vector refused{Kind::kBackupUsed};
  CHECK(with([](GptHeader&) {}).empty());
  CHECK(with([](GptHeader& h) { h.entry_bytes = 0; }) == refused);
  CHECK(with([](GptHeader& h) { h.entry_bytes = 64; }) == refused);
  CHECK(with([](GptHeader& h) { h.entry_bytes = 192; }) == refused);
  CHECK(with([](GptHeader& h) { h.entry_count = 0; }) == refused);
  CHECK(with([](GptHeader& h) { h.entry_count = 0xffffffff; }) == refused);
  CHECK(with([](GptHeader& h) { h.entry_count = h.entry_bytes = 0x80000000; }) == refused);
  CHECK(with([](GptHeader& h) { h.array_lba = 0; }) == refused);
  CHECK(with([](GptHeader& h) { h.array_lba = 999; }) == refused);
  CHECK(with([](GptHeader& h) { h.array_lba = UINT64_MAX; }) == refused);
  CHECK(with([](GptHeader& h) { h.last_usable = 1000; }) == refused);
  CHECK(with([](GptHeader& h) { h.first_usable = h.last_usable + 1; }) == refused);
}

TEST_CASE("gpt: entries that end before they begin, outside of the usable area, or beyond what a number names") {
  Medium medium(1000);
  medium.PutGpt({Gpt(200, 199, 1), Gpt(0, 10, 2), Gpt(900, 1100, 3), Gpt(0, UINT64_MAX, 4), Gpt(5, UINT64_MAX - 1, 5)});
  const PartitionTable table = Table(medium);
  CHECK(Names(table) == "p2 p3");
  CHECK(KindsOf(table.verdicts) ==
        std::vector{Kind::kBackwards, Kind::kTooLarge, Kind::kTooLarge, Kind::kOutsideContainer, Kind::kBeyondDevice});
  CHECK_FALSE(table.partitions[0].usable);
  CHECK_FALSE(table.partitions[1].usable);
}

TEST_CASE("gpt: a protective MBR with no header behind it is a GPT that lost both, unless a label took their place") {
  Medium medium(1000);
  medium.PutEntry(0, 0, kMbrProtective, 1, 999);
  CHECK(Table(medium).scheme == Scheme::kGpt);
  CHECK(KindsOf(Table(medium).verdicts) == std::vector{Kind::kHeaderBad});
  medium.PutLabel(512, {{100, 16, 0, 7, 0, 0}});
  CHECK(Table(medium).scheme == Scheme::kBsd);
}

TEST_CASE("gpt: a medium that was cut short keeps what lies before the cut") {
  Medium medium(1000);
  medium.PutGpt({Gpt(100, 199, 1), Gpt(850, 899, 2)});
  Medium cut(880);
  std::copy_n(medium.bytes.begin(), cut.bytes.size(), cut.bytes.begin());
  const PartitionTable table = Table(cut);
  CHECK(Names(table) == "p1 p2");
  CHECK(KindsOf(table.verdicts) == std::vector{Kind::kBackupBad, Kind::kMediumCut, Kind::kBeyondDevice});
  CHECK(table.partitions[0].usable);
  CHECK_FALSE(table.partitions[1].usable);
}

TEST_CASE("gpt: an image that grew keeps its backup; one without a protective MBR is told") {
  Medium medium(1000);
  medium.PutGpt({Gpt(100, 199, 1)});
  Medium grown(1200);
  std::copy(medium.bytes.begin(), medium.bytes.end(), grown.bytes.begin());
  CHECK(KindsOf(Table(grown).verdicts) == std::vector{Kind::kBackupMisplaced});
  std::fill_n(medium.bytes.begin(), 512, 0);
  CHECK(KindsOf(Table(medium).verdicts) == std::vector{Kind::kNoProtectiveMbr});
  std::fill_n(medium.bytes.begin() + 512, 512, 0);  // a backup alone does not speak against what was made since
  CHECK_FALSE(HasTable(medium));
  medium.PutGpt({Gpt(100, 199, 1)});
  medium.PutEntry(0, 0, 0x83, 10, 100);  // an MBR over it
  CHECK(Table(medium).scheme == Scheme::kMbr);
}

}  // namespace
}  // namespace blk
