// WriteTable: what is on the medium when any call of the host fails on the way, or a part of a write only; and changes
// from several threads at once.
#include "core/device/table_ioctl.h"

#include <thread>

#include "core/device/label_ioctl.h"
#include "test/support/check.h"
#include "test/support/memory_source.h"
#include "test/support/table_trial.h"

namespace blk {
namespace {

using test::Call;
using test::CasesOf;
using test::FailEach;
using test::kTableSectors;
using test::Make;
using test::MemorySource;
using test::Names;
using test::Table;
using test::TableRig;
using test::Tables;
using test::Trial;

// Writes `fresh` over `old`. -> the names that were read after each failure.
std::vector<std::string> FailEach(const Tables& old, const Tables& fresh, uint64_t damage_at, int err) {
  Trial trial;
  trial.disk = [&] {
    auto rig = std::make_unique<TableRig>(old());
    if (damage_at != 0) rig->file.Write(damage_at, {0xff});
    return rig;
  };
  trial.fresh = trial.again = fresh;
  trial.err = err;
  trial.show = Names;
  return FailEach(trial);
}
std::vector<std::string> FailEach(Scheme scheme, uint64_t damage_at, int err) {
  return FailEach(
      [=] {
        return Make(scheme, {{100, 50}});
      },
      [=] {
        return Make(scheme, {{200, 60}, {300, 70}});
      },
      damage_at, err);
}

// An MBR with one extended partition from 1000 to 5000, and these logical ones.
PartitionTable MakeChain(const std::vector<std::pair<uint64_t, uint64_t>>& spans) {
  PartitionTable table = Make(Scheme::kMbr, {{1000, 4000}}, 0x0f);
  table.partitions[0].table = std::make_unique<PartitionTable>(Make(Scheme::kEbr, spans));
  return table;
}

TEST_CASE("whichever write or sync fails, the old table is there or the new one; writing it again mends all") {
  struct Case {
    Scheme scheme;
    uint64_t damage_at;
    std::string old_names, new_names;
  };
  const std::vector<Case> cases = {{Scheme::kGpt, 0, "p1", "p1 p2"},
                                   {Scheme::kGpt, 512, "p1", "p1 p2"},
                                   {Scheme::kGpt, (kTableSectors - 1) * 512, "p1", "p1 p2"},
                                   {Scheme::kMbr, 0, "s1", "s1 s2"},
                                   {Scheme::kBsd, 0, "a", "a b"}};
  for (const Case& one : CasesOf(cases)) {
    for (const int err : {EIO, ENOSPC}) {
      const auto seen = FailEach(one.scheme, one.damage_at, err);
      CHECK(seen.size() >= 2);
      for (const std::string& names : seen) CHECK((names == one.old_names || names == one.new_names));
    }
  }
}

TEST_CASE("whichever write of a change of scheme, of a label's place or a GPT's sectors fails, one table is there") {
  struct Kind {
    Scheme scheme;
    uint64_t place, sector;
    std::string one, two;  // the names of that many partitions
  };
  const std::vector<Kind> kinds = {{Scheme::kGpt, 0, 512, "p1", "p1 p2"},  {Scheme::kGpt, 0, 1024, "p1", "p1 p2"},
                                   {Scheme::kGpt, 0, 4096, "p1", "p1 p2"}, {Scheme::kMbr, 0, 512, "s1", "s1 s2"},
                                   {Scheme::kBsd, 512, 512, "a", "a b"},   {Scheme::kBsd, 64, 512, "a", "a b"},
                                   {Scheme::kBsd, 128, 512, "a", "a b"},   {Scheme::kBsd, 4096, 512, "a", "a b"}};
  const auto make = [](const Kind& kind, const std::vector<std::pair<uint64_t, uint64_t>>& spans) {
    PartitionTable table = Make(kind.scheme, spans);
    table.position = kind.place;
    table.sector_size = kind.sector;
    return table;
  };
  for (const Kind& old : CasesOf(kinds, 2)) {
    for (const Kind& fresh : CasesOf(kinds, 2)) {
      if (&old == &fresh) continue;
      for (const int err : {EIO, ENOSPC}) {
        const auto seen = FailEach(
            [&] {
              return make(old, {{104, 48}});
            },
            [&] {
              return make(fresh, {{200, 56}, {304, 72}});
            },
            0, err);
        CHECK(seen.size() >= 2);
        for (const std::string& names : seen) CHECK((names == old.one || names == fresh.two));
      }
    }
  }
}

TEST_CASE("whichever write or sync of a chain fails, the old chain is there or the new one") {
  using Spans = std::vector<std::pair<uint64_t, uint64_t>>;
  const Spans old = {{1100, 100}, {1300, 100}, {1500, 100}};
  const std::vector<std::pair<Spans, std::string>> cases = {
      {{{1100, 100}, {1300, 100}, {1500, 100}, {1700, 100}, {1900, 100}}, "s1(s5 s6 s7 s8 s9)"},
      {{{1300, 100}, {1500, 100}}, "s1(s5 s6)"},
      {{{1100, 100}, {1500, 100}}, "s1(s5 s6)"},
      {{{1100, 100}, {1300, 100}}, "s1(s5 s6)"},
      {{{1100, 100}, {1300, 100}, {1500, 300}}, "s1(s5 s6 s7)"},
      {{{2000, 100}, {1100, 100}, {1300, 100}, {1500, 100}}, "s1(s5 s6 s7 s8)"},
      {{}, "s1()"},
  };
  for (const auto& [spans, names] : CasesOf(cases)) {
    const auto make = [spans = spans] { return MakeChain(spans); };
    for (const int err : {EIO, ENOSPC, test::kHalfway}) {
      const auto seen = FailEach([&] { return MakeChain(old); }, make, 0, err);
      CHECK(seen.size() >= 2);
      for (const std::string& one : seen) CHECK((one == "s1(s5 s6 s7)" || one == names));
    }
  }
}

TEST_CASE("a write that stops in its middle is gone on with, and of a GPT one copy holds when it is not") {
  CHECK(FailEach(Scheme::kGpt, 0, test::kHalfway).size() >= 7);
  for (uint64_t pass = 0; pass < 5; pass++) {
    TableRig rig(Make(Scheme::kGpt, {{100, 50}}));
    PartitionTable fresh = Make(Scheme::kGpt, {{200, 60}, {300, 70}});
    uint64_t count = 0;
    rig.host.before = [&](const test::CallRecord& record) {
      if (record.call != Call::kPwrite || count++ != pass) return;
      rig.host.Fail(Call::kPwrite, test::kHalfway);
      rig.host.Fail(Call::kPwrite, EIO);
    };
    CHECK(WriteTable(*rig.device, fresh, 0).err == EIO);
    const std::string names = rig.Read();
    CHECK((names == "p1" || names == "p1 p2"));
  }
}

TEST_CASE("tables that several threads write at once: one of them, whole") {
  TableRig rig(Make(Scheme::kGpt, {{100, 50}}));
  rig.host.pretend_syncs = true;
  for (int round = 0; round < 30; round++) {
    std::vector<std::thread> threads;
    for (uint64_t thread = 1; thread <= 4; thread++) {
      threads.emplace_back([&, thread] {
        PartitionTable table = Make(Scheme::kGpt, {{100 * thread, 50}, {1000 * thread, 10 * thread}});
        CHECK(WriteTable(*rig.device, table, 0).ok());
        Verdicts faults;
        CHECK(SetLabel(*rig.device, DefaultLabel(kTableSectors * 512, 0), LabelWrite::kInMemory, &faults).ok());
      });
    }
    for (std::thread& thread : threads) thread.join();
    MemorySource source(rig.file.Read(0, kTableSectors * 512));
    const PartitionTable table = Table(source);
    CHECK(table.verdicts.empty());
    REQUIRE(table.partitions.size() == 2);
    CHECK(table.partitions[1].start == 10 * table.partitions[0].start);
    CHECK(table.partitions[1].size * 10 == table.partitions[0].start);
  }
}

}  // namespace
}  // namespace blk
