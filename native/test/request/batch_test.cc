#include "core/request/batch.h"

#include <limits>
#include <utility>

#include "test/support/batch_rig.h"
#include "test/support/check.h"

namespace blk {
namespace {

using test::BatchRig;
using test::Call;
using test::Entry;
using test::kDiscard;
using test::kFlush;
using test::kMiB;
using test::kRead;
using test::kWrite;
using test::kZero;
using test::Pattern;

TEST_CASE("reads and writes move between their blocks and their places in the arena") {
  for (const Access access : {Access::kAuto, Access::kMmap, Access::kPio}) {
    BatchRig rig(access);
    const auto bytes = Pattern(0, 4096, 1);
    std::copy(bytes.begin(), bytes.end(), rig.arena.begin() + 65536);
    CHECK(rig.Run({{kRead, 3, 1024, 100}, {kWrite, 100, 4096, 65536}, {kRead, 104, 512, 2000}, {kRead, 0, 0, 0}}));
    CHECK(rig.error == std::vector<int32_t>{0, 0, 0, 0});
    CHECK(rig.resid == std::vector<uint32_t>{0, 0, 0, 0});
    CHECK(rig.succeeded == 4);
    CHECK(std::vector<uint8_t>(rig.arena.begin() + 100, rig.arena.begin() + 1124) == Pattern(3 * 512, 1024));
    CHECK(std::vector<uint8_t>(rig.arena.begin() + 2000, rig.arena.begin() + 2512) ==
          Pattern(4 * 512, 512, 1));  // order
    CHECK(rig.file.Read(100 * 512, 4096) == bytes);
    CHECK(rig.Count(Counter::kIoTotal) == 3);
  }
}

TEST_CASE("entries that make no sense are EINVAL, each for itself, and touch nothing") {
  BatchRig rig;
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const std::vector<Entry> bad = {{5, 0, 512, 0},
                                  {255, 0, 512, 0},
                                  {kRead, 0.5, 512, 0},
                                  {kRead, nan, 512, 0},
                                  {kRead, inf, 512, 0},
                                  {kRead, -inf, 512, 0},
                                  {kRead, 1e300, 512, 0},
                                  {kRead, -1, 512, 0},    // B4
                                  {kRead, 2049, 512, 0},  // beyond the end
                                  {kRead, 0, 512, kMiB - 511},
                                  {kRead, 0, UINT32_MAX, UINT32_MAX},
                                  {kWrite, 0, kMiB, 1}};
  for (const Entry& entry : bad) {
    rig.Run({entry, {kRead, 0, 512, 0}});
    INFO("op " << int{entry.op} << " blkno " << entry.blkno << " offset " << entry.offset);
    CHECK(rig.error == std::vector<int32_t>{-EINVAL, 0});
    CHECK(rig.resid[0] == entry.bcount);
    CHECK(rig.succeeded == 1);
  }
  CHECK(rig.host.calls(Call::kPwrite) == 0);
}

TEST_CASE("an entry that points nowhere may follow one that is read from a window") {
  BatchRig rig(Access::kAuto);
  std::vector<Entry> entries;
  for (const double blkno : {-1.0, -9007199254740992.0, 9007199254740992.0, 2047.0, 2048.0, 2049.0}) {
    entries.push_back({kRead, 0, 512, 0});
    entries.push_back({kRead, blkno, 1024, 1024});
  }
  for (int i = 0; i < 4; i++) rig.Run(entries);  // from the second time on its block is mapped
  CHECK(rig.error == std::vector<int32_t>{0, -EINVAL, 0, -EINVAL, 0, -EINVAL, 0, 0, 0, 0, 0, -EINVAL});
  CHECK(rig.resid == std::vector<uint32_t>{0, 1024, 0, 1024, 0, 1024, 0, 512, 0, 1024, 0, 1024});
  CHECK(std::vector<uint8_t>(rig.arena.begin(), rig.arena.begin() + 512) == Pattern(0, 512));
}

TEST_CASE("at the end of the device entries are short, as single requests are") {
  BatchRig rig;
  rig.Run({{kRead, 2047, 1024, 0}, {kRead, 2048, 512, 0}, {kWrite, 2048, 512, 0}});
  CHECK(rig.error == std::vector<int32_t>{0, 0, 0});
  CHECK(rig.resid == std::vector<uint32_t>{512, 512, 512});
}

TEST_CASE("writes that continue each other, on the device and in the arena, are one call and count each") {
  BatchRig rig;
  const auto bytes = Pattern(0, 4096, 1);
  std::copy(bytes.begin(), bytes.end(), rig.arena.begin());
  rig.Run({{kWrite, 10, 1024, 0}, {kWrite, 12, 2048, 1024}, {kWrite, 16, 1024, 3072}});
  CHECK(rig.error == std::vector<int32_t>{0, 0, 0});
  CHECK(rig.host.calls(Call::kPwrite) == 1);
  CHECK(rig.file.Read(5120, 4096) == bytes);
  CHECK(rig.Count(Counter::kIoTotal) == 3);
  CHECK(rig.Count(Counter::kBytesWritten) == 4096);
}

TEST_CASE("writes that do not continue each other are not merged") {
  const std::vector<std::vector<Entry>> pairs = {
      {{kWrite, 10, 512, 0}, {kWrite, 12, 512, 512}},      // a gap on the device
      {{kWrite, 10, 512, 0}, {kWrite, 11, 512, 1024}},     // a gap in the arena
      {{kWrite, 10, 512, 512}, {kWrite, 11, 512, 0}},      // the wrong way round
      {{kWrite, 10, 100, 0}, {kWrite, 10, 512, 100}},      // part of a sector
      {{kWrite, 10, 512, 0}, {kWrite, 11, 512, 512, 1}}};  // one durable, one not
  for (const auto& pair : pairs) {
    BatchRig rig;
    rig.arena = Pattern(0, kMiB, 1);
    rig.Run(pair);
    CHECK(rig.error == std::vector<int32_t>{0, 0});
    CHECK(rig.host.calls(Call::kPwrite) == 2);
    for (const Entry& entry : pair) {
      const bool overwritten = &entry == &pair[0] && pair[1].blkno == pair[0].blkno;
      if (!overwritten) {
        CHECK(rig.file.Read(static_cast<uint64_t>(entry.blkno) * 512, entry.bcount) ==
              Pattern(entry.offset, entry.bcount, 1));
      }
    }
  }
}

TEST_CASE("merged writes across the end of the device end as they would have one by one") {
  BatchRig rig;
  rig.Run({{kWrite, 2046, 512, 0}, {kWrite, 2047, 1024, 512}, {kWrite, 2049, 512, 1536}});
  CHECK(rig.error == std::vector<int32_t>{0, 0, -EINVAL});
  CHECK(rig.resid == std::vector<uint32_t>{0, 512, 512});
  CHECK(rig.Count(Counter::kIoTotal) == 2);
  CHECK(rig.Count(Counter::kBytesWritten) == 1024);
}

TEST_CASE("a merged write that fails: the entry it stopped in has the error, those behind run for themselves") {
  BatchRig rig;
  rig.arena = Pattern(0, kMiB, 1);
  rig.host.Shorten(700);
  rig.host.Fail(Call::kPwrite, ENOSPC, 1);
  rig.Run({{kWrite, 10, 512, 0}, {kWrite, 11, 512, 512}, {kWrite, 12, 512, 1024}});
  CHECK(rig.error == std::vector<int32_t>{0, -ENOSPC, 0});
  CHECK(rig.resid == std::vector<uint32_t>{0, 512 - 188, 0});
  CHECK(rig.file.Read(12 * 512, 512) == Pattern(1024, 512, 1));
  CHECK(rig.Count(Counter::kIoTotal) == 3);
}

TEST_CASE("on a device with a guard each write is refused or done by itself") {
  test::DeviceRig disk(kMiB);
  OpenOptions options;
  options.mode = OpenMode::kReadWrite;
  options.access = Access::kPio;
  options.protect = {{1024, 1536}};
  BatchRig rig(disk.Open(options));
  rig.arena = Pattern(0, kMiB, 1);
  rig.Run({{kWrite, 0, 512, 0}, {kWrite, 1, 512, 512}, {kWrite, 2, 512, 1024}, {kWrite, 3, 512, 1536}});
  CHECK(rig.error == std::vector<int32_t>{0, 0, -EROFS, 0});
  CHECK(rig.resid == std::vector<uint32_t>{0, 0, 512, 0});
  CHECK(disk.file.Read(0, 1024) == Pattern(0, 1024, 1));
  CHECK(disk.file.Read(1024, 512) == Pattern(1024, 512));
  CHECK(disk.file.Read(1536, 512) == Pattern(1536, 512, 1));
}

TEST_CASE("faults: every entry draws once, in order, and doomed ones are never merged into others") {
  BatchRig rig;
  FaultInjector::Settings settings;
  settings.rate = 2500;
  settings.seed = 1;  // fails draws 1, 5, 10, 11
  rig.faults.Set(settings);
  CHECK(rig.device->SetFaulty(true).ok());
  std::vector<Entry> entries;
  for (uint32_t i = 0; i < 12; i++) entries.push_back({kWrite, static_cast<double>(i), 512, i * 512});
  entries.insert(entries.begin() + 3, {{kFlush, 0, 0, 0}, {kRead, 0.5, 512, 0}, {kRead, 0, 0, 0}});  // draw nothing
  rig.Run(entries);
  std::vector<int> failed;
  for (size_t i = 0; i < rig.error.size(); i++) {
    if (rig.error[i] == -EIO) failed.push_back(static_cast<int>(i));
  }
  CHECK(failed == std::vector<int>{1, 5 + 3, 10 + 3, 11 + 3});
  CHECK(rig.Count(Counter::kFaultsInjected) == 4);
  CHECK(rig.file.Read(512, 512) == Pattern(512, 512));        // 1 was not written
  CHECK(rig.file.Read(0, 512) == std::vector<uint8_t>(512));  // 0 was
}

TEST_CASE("what the injector drew stays out of the columns, and goes on with what is left of the run") {
  BatchRig rig;
  FaultInjector::Settings settings;
  settings.rate = 2500;
  settings.seed = 1;  // fails draws 1, 5, 10, 11
  rig.faults.Set(settings);
  CHECK(rig.device->SetFaulty(true).ok());
  const std::vector<uint8_t> op(12, kWrite), fua(12);
  std::vector<double> blkno;
  const std::vector<uint32_t> bcount(12, 512), offset(12);
  for (int i = 0; i < 12; i++) blkno.push_back(2 * i);
  std::vector<uint32_t> resid(12, 77), others_resid(12);
  std::vector<int32_t> error(12, 77), others_error(12);
  const auto columns = [&](uint32_t* resids, int32_t* errors) {
    return BatchArrays{op.data(), fua.data(), blkno.data(), bcount.data(), offset.data(), resids, errors};
  };
  BatchRun run(columns(resid.data(), error.data()), rig.arena.data(), rig.arena.size(), 12, rig.device->ForBatch());
  run.Admit();
  CHECK_FALSE(run.Run(true, 0, nullptr, [](const BatchSync&) { return Status::Ok(); }));
  BatchRun rest(columns(others_resid.data(), others_error.data()), rig.arena.data(), std::move(run));
  CHECK(rest.Run(false, 0, nullptr, [](const BatchSync&) { return Status::Ok(); }));
  CHECK(error == std::vector<int32_t>(12, 77));
  CHECK(resid == std::vector<uint32_t>(12, 77));
  CHECK(others_error == std::vector<int32_t>{0, -EIO, 0, 0, 0, -EIO, 0, 0, 0, 0, -EIO, -EIO});
}

TEST_CASE("nowait stops before the first entry that may wait, and goes on from there") {
  BatchRig rig;
  rig.host.Fail(Call::kPreadNowait, EAGAIN, 1);
  CHECK_FALSE(rig.Run({{kRead, 0, 512, 0}, {kRead, 1, 512, 512}, {kRead, 2, 512, 1024}}, true));
  if (rig.begun == 0) SKIP("no reads without waiting on this file system");
  CHECK(rig.begun == 1);
  CHECK(rig.error[0] == 0);
  CHECK(rig.host.calls(Call::kPread) == 0);

  BatchRig writes;
  CHECK_FALSE(writes.Run({{kWrite, 0, 512, 0}}, true));
  CHECK_FALSE(writes.Run({{kFlush, 0, 0, 0}}, true));
  CHECK(writes.begun == 0);
  CHECK(writes.host.calls(Call::kPwrite) == 0);
}

TEST_CASE("a cancelled batch leaves what has run and cancels the rest") {
  BatchRig rig;
  std::atomic<bool> cancel{false};
  rig.host.before = [&](const test::CallRecord& call) { cancel = cancel || call.call == Call::kPwrite; };
  CHECK(
      rig.Run({{kWrite, 0, 512, 0, 1}, {kWrite, 100, 512, 0}, {kFlush, 0, 0, 0}, {kRead, 0, 512, 0}}, false, &cancel));
  CHECK(rig.error == std::vector<int32_t>{0, -ECANCELED, -ECANCELED, -ECANCELED});
  CHECK(rig.resid == std::vector<uint32_t>{0, 512, 0, 512});
  CHECK(rig.host.calls(Call::kFdatasync) == 1);  // for the durable one that has run
}

TEST_CASE("discards and zeros are entries without an arena, in order with the others") {
  for (const Access access : {Access::kPio, Access::kAuto, Access::kMmap}) {
    BatchRig rig(access);
    rig.host.FailAlways(Call::kPunchHole, EOPNOTSUPP);
    const uint32_t nowhere = UINT32_MAX;
    CHECK(rig.Run({{kRead, 0, 4096, 0},
                   {kZero, 1, 1024, nowhere},
                   {kRead, 0, 4096, 4096},
                   {kDiscard, 2, 512, nowhere},
                   {kZero, 2046, 4096, nowhere},
                   {kZero, 2049, 512, nowhere}}));
    CHECK(rig.error == std::vector<int32_t>{0, 0, 0, 0, 0, -EINVAL});
    // This host file cannot discard: nothing of it was done, which is no error.
    CHECK(rig.resid == std::vector<uint32_t>{0, 0, 0, 512, 3072, 512});
    auto wanted = std::vector<uint8_t>(rig.arena.begin(), rig.arena.begin() + 4096);
    CHECK(std::count(wanted.begin() + 512, wanted.begin() + 1536, 0) < 1024);
    std::fill(wanted.begin() + 512, wanted.begin() + 1536, uint8_t{0});
    CHECK(std::equal(wanted.begin(), wanted.end(), rig.arena.begin() + 4096));
    CHECK(rig.Count(Counter::kZeroes) == 2);
    CHECK(rig.Count(Counter::kDiscardsIgnored) == 1);
  }
}

TEST_CASE("durable zeros share the sync of their group with writes") {
  BatchRig rig;
  CHECK(rig.Run({{kWrite, 0, 512, 0, 1}, {kZero, 8, 512, 0, 1}, {kWrite, 16, 512, 0, 1}}));
  CHECK(rig.succeeded == 3);
  CHECK(rig.Syncs() == 1);
}

}  // namespace
}  // namespace blk
