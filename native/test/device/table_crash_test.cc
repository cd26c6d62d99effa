// WriteTable, where more than one table or more than a table is at stake: what is on the medium when any write or sync
// fails on the way. Changes of one table and between schemes are in table_ioctl_test.cc.
#include "core/device/table_ioctl.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "core/label/sun_label.h"
#include "test/support/check.h"
#include "test/support/table_trial.h"

namespace blk {
namespace {

using test::CasesOf;
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
  const std::vector<uint64_t> sectors = {512, 4096};
  const std::vector<uint32_t> indices = {129, 132, 199, 255, 999};
  for (const uint64_t sector : CasesOf(sectors)) {
    const std::vector<uint64_t> damages = {0, sector, kTableSectors * 512 - sector};
    for (const uint64_t damage_at : CasesOf(damages)) {
      for (const uint32_t index : CasesOf(indices)) {
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
  const std::vector<const Tree*> trees = {&small, &large, &moved};
  for (const Tree* old : CasesOf(trees)) {
    for (const Tree* fresh : CasesOf(trees, 2)) {
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

// A disk of zeros with something on it that no table of ours is, put there by `put`.
using Bytes = std::vector<uint8_t>;
struct Foreign {
  const char* name;
  std::function<void(Bytes&)> put;
};
constexpr ByteOrder kBig = ByteOrder::kBig;

void Say(Bytes& bytes, size_t at, std::string_view text) {
  std::copy(text.begin(), text.end(), bytes.begin() + static_cast<ptrdiff_t>(at));
}
void PutAppleEntry(Bytes& bytes, size_t block, uint32_t start, uint32_t size) {
  uint8_t* at = &bytes[block * 512];
  Store<uint16_t>(at, 0x504d, kBig);
  Store<uint32_t>(at + 4, 2, kBig);
  Store<uint32_t>(at + 8, start, kBig);
  Store<uint32_t>(at + 12, size, kBig);
}
void PutFat(Bytes& bytes) {
  Say(bytes, 0, "\xeb\x3c\x90");
  Store<uint16_t>(&bytes[11], 512);
  bytes[13] = 4;
  Store<uint16_t>(&bytes[14], 1);
  bytes[16] = 2;
  Store<uint16_t>(&bytes[17], 512);
  Store<uint16_t>(&bytes[19], kTableSectors);
  bytes[21] = 0xf8;
  Store<uint16_t>(&bytes[22], 8);
  bytes[38] = 0x29;
  Say(bytes, 54, "FAT16   ");
  Store<uint16_t>(&bytes[kMbrSignatureAt], kMbrSignature);
}

const std::vector<Foreign> kForeign = {
    {"Apple map",
     [](Bytes& bytes) {
       Store<uint16_t>(bytes.data(), 0x4552, kBig);
       Store<uint16_t>(&bytes[2], 512, kBig);
       PutAppleEntry(bytes, 1, 1, 2);
       PutAppleEntry(bytes, 2, 100, 900);
     }},
    {"Sun label",
     [](Bytes& bytes) {
       Store<uint16_t>(&bytes[436], 2, kBig);
       Store<uint16_t>(&bytes[438], 10, kBig);
       Store<uint32_t>(&bytes[444], 3, kBig);
       Store<uint32_t>(&bytes[448], 40, kBig);
       Store<uint16_t>(&bytes[kSunMagicAt], 0xdabe, kBig);
       KeepSunSum(bytes.data());
     }},
    {"PC-98",
     [](Bytes& bytes) {
       Say(bytes, 4, "IPL1");
       Store<uint16_t>(&bytes[kMbrSignatureAt], kMbrSignature);
     }},
    {"AIX", [](Bytes& bytes) { Say(bytes, 0, "\xc9\xc2\xd4\xc1"); }},
    {"DASD", [](Bytes& bytes) { Say(bytes, 512, "\xd3\xd5\xe7\xf1"); }},
    {"LDM",
     [](Bytes& bytes) {
       bytes[kMbrEntriesAt + 4] = 0x42;
       Store<uint32_t>(&bytes[kMbrEntriesAt + 8], 63);
       Store<uint32_t>(&bytes[kMbrEntriesAt + 12], 8000);
       Store<uint16_t>(&bytes[kMbrSignatureAt], kMbrSignature);
       Say(bytes, 6 * 512, "PRIVHEAD");
     }},
    {"FAT", PutFat},
    {"swap", [](Bytes& bytes) { Say(bytes, 4096 - 10, "SWAPSPACE2"); }},
};

TEST_CASE(
    "whichever write over another scheme or a file system fails, no table is read but the old one or the new one") {
  struct Fresh {
    Scheme scheme;
    uint64_t place;
  };
  const std::vector<Fresh> all_fresh = {{Scheme::kGpt, 0},  {Scheme::kMbr, 0},   {Scheme::kBsd, 512},
                                        {Scheme::kBsd, 64}, {Scheme::kBsd, 128}, {Scheme::kBsd, 4096}};
  for (const Foreign& foreign : CasesOf(kForeign)) {
    Bytes bytes(kTableSectors * 512);
    foreign.put(bytes);
    TableRig there(bytes);
    const std::string old = there.Read(Drawn);
    for (const Fresh& fresh : CasesOf(all_fresh)) {
      Trial trial;
      trial.disk = [&] { return std::make_unique<TableRig>(bytes); };
      trial.fresh = trial.again = [&] {
        PartitionTable table = Make(fresh.scheme, {{200, 56}, {304, 72}});
        table.position = fresh.place;
        return table;
      };
      PartitionTable unasked = trial.fresh();
      CHECK(WriteTable(*there.device, unasked, 0).err == EINVAL);
      trial.overwrite = Overwrite::kAllow;
      const std::string wanted = Drawn(trial.fresh());
      const auto seen = FailEach(trial);
      CHECK(seen.size() >= 2);
      for (const std::string& one : seen) {
        const bool known = one == old || one == wanted;
        CHECK(foreign.name + std::string(known ? "" : ": " + one + " on the way to " + wanted) == foreign.name);
      }
    }
  }
}

}  // namespace
}  // namespace blk
