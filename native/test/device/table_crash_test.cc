// WriteTable, where more than one table or more than a table is at stake: what is on the medium when any write or sync
// fails on the way. Changes of one table and between schemes are in table_ioctl_test.cc.
#include "core/device/table_ioctl.h"
#include "test/support/check.h"
#include "test/support/table_trial.h"

namespace blk {
namespace {

using test::FailEach;
using test::kTableSectors;
using test::Make;
using test::TableRig;
using test::Trial;

// Of a disk that is zeros but for a GPT with one partition; `damage_at`: a byte of it that is 0xff.
std::unique_ptr<TableRig> ZerosWithGpt(uint64_t sector, uint64_t damage_at) {
  auto rig = std::make_unique<TableRig>(std::vector<uint8_t>(kTableSectors * 512));
  PartitionTable old = Make(Scheme::kGpt, {{1000, 48}});
  old.sector_size = sector;
  test::Must(WriteTable(*rig->device, old, 0).ok(), "the table to begin with");
  if (damage_at != 0) rig->file.Write(damage_at, {0xff});
  return rig;
}

TEST_CASE(
    "whichever write of a GPT whose array grows fails, the old entries are there or the new ones, and it can grow") {
  const std::string old = "gpt p1 1000+48";
  for (const uint64_t sector : {512, 4096}) {
    for (const uint64_t damage_at : {uint64_t{0}, sector, kTableSectors * 512 - sector}) {
      for (const uint32_t index : {129, 132, 199, 255, 999}) {
        for (const bool torn : {false, true}) {
          // A second try has other GUIDs, as a caller's has who gives none.
          const auto grown = [&](uint8_t uuid) {
            PartitionTable table = Make(Scheme::kGpt, {{1000, 48}, {2000, 64}});
            table.sector_size = sector;
            table.partitions[1].index = index;
            table.partitions[1].uuid.bytes.fill(uuid);
            return table;
          };
          Trial trial;
          trial.disk = [&] { return ZerosWithGpt(sector, damage_at); };
          trial.fresh = [&] { return grown(0x77); };
          trial.again = [&] { return grown(0x99); };
          trial.torn = torn;
          const auto seen = FailEach(trial);
          CHECK(seen.size() >= 7);
          const std::string fresh = old + " p" + std::to_string(index + 1) + " 2000+64";
          for (const std::string& one : seen) CHECK((one == old || one == fresh));
        }
      }
    }
  }
}

}  // namespace
}  // namespace blk
