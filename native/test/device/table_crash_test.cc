// WriteTable, where more than one table or more than a table is at stake: what is on the medium when any write or sync
// fails on the way. Changes of one table and between schemes are in table_ioctl_test.cc.
#include "core/device/table_ioctl.h"

#include <algorithm>

#include "test/support/check.h"
#include "test/support/table_trial.h"

namespace blk {
namespace {

using test::Drawn;
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
  const std::string old = "gpt 0:1000+48";
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
          const std::string fresh = old + " " + std::to_string(index) + ":2000+64";
          for (const std::string& one : seen) CHECK((one == old || one == fresh));
        }
      }
    }
  }
}

using Spans = std::vector<std::pair<uint64_t, uint64_t>>;

// An MBR: a slice with a label, then an extended partition, then what there is of `plain`. The first logical partition
// has a label as well.
struct Tree {
  Spans label, inner, chain;
  std::pair<uint64_t, uint64_t> extended;
  Spans plain;

  PartitionTable Table() const {
    Spans slices = {{100, 800}, extended};
    slices.insert(slices.end(), plain.begin(), plain.end());
    PartitionTable mbr = Make(Scheme::kMbr, slices);
    mbr.partitions[1].type = 0x0f;
    mbr.partitions[1].table = std::make_unique<PartitionTable>(Make(Scheme::kEbr, chain));
    const auto put = [](PartitionEntry& slice, const Spans& spans) {
      slice.type = 0xa9;
      slice.table = std::make_unique<PartitionTable>(Make(Scheme::kBsd, spans));
    };
    put(mbr.partitions[0], label);
    put(mbr.partitions[1].table->partitions[0], inner);
    return mbr;
  }
};

// What may be read, in this order: the label changes, then that inside of the chain, then the chain, then all of it.
std::vector<std::string> Stages(const Tree& old, const Tree& fresh) {
  std::vector<std::string> stages = {Drawn(old.Table())};
  Tree tree = old;
  tree.label = fresh.label;
  stages.push_back(Drawn(tree.Table()));
  tree.inner = fresh.inner;
  stages.push_back(Drawn(tree.Table()));
  // A chain that moves lies beside the one that is read, until sector 0 leads to it.
  if (old.extended.first == fresh.extended.first) tree.chain = fresh.chain;
  stages.push_back(Drawn(tree.Table()));
  stages.push_back(Drawn(fresh.Table()));
  return stages;
}

TEST_CASE("of a tree that changes at once each table is the old one or the new one, and those inside change first") {
  const Tree small{{{110, 50}}, {{1110, 50}}, {{1100, 400}, {1700, 100}}, {1000, 3000}, {}};
  const Tree large{{{110, 60}, {200, 70}},
                   {{1110, 60}, {1200, 70}},
                   {{1100, 400}, {1700, 100}, {4100, 100}},
                   {1000, 4000},
                   {{6000, 100}}};
  // Begins before the others, so that no link can stay.
  const Tree moved{{{110, 40}}, {{1110, 40}}, {{1100, 400}, {1600, 50}, {2000, 100}}, {950, 3500}, {{7000, 50}}};
  for (const Tree* old : {&small, &large, &moved}) {
    for (const Tree* fresh : {&small, &large, &moved}) {
      if (old == fresh) continue;
      const auto stages = Stages(*old, *fresh);
      Trial trial;
      trial.disk = [&] { return std::make_unique<TableRig>(old->Table()); };
      trial.fresh = trial.again = [&] { return fresh->Table(); };
      auto stage = stages.begin();
      for (const std::string& one : FailEach(trial)) {
        const auto found = std::find(stage, stages.end(), one);
        CHECK(one == (found != stages.end() ? *found : *stage));
        if (found != stages.end()) stage = found;
      }
      CHECK(*stage == stages.back());
    }
  }
}

}  // namespace
}  // namespace blk
