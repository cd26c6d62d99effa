#include "core/filter/fault_strategy.h"

#include "core/request/physio.h"
#include "core/request/plan.h"
#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::kKiB;
using test::kMiB;
using test::Rig;

constexpr size_t kChunk = 64 * 1024;

struct FaultRig : Rig {
  explicit FaultRig(uint64_t size = kMiB, bool writable = true)
      : Rig(size, 0, size, writable), pio(range, *disk), faulty(counters, injector, pio) {}
  void Faults(uint32_t rate, uint32_t seed = 1) {
    FaultInjector::Settings settings;
    settings.rate = rate;
    settings.seed = seed;
    injector.Set(settings);
  }
  Transfer Make(BufOp op, int64_t blkno, size_t length, bool raw) {
    memory.resize(std::max(memory.size(), length));
    Transfer transfer;
    transfer.op = op;
    transfer.position = PositionOfSector(blkno);
    transfer.length = length;
    transfer.data = memory.data();
    transfer.raw = raw;
    return transfer;
  }
  void Admit(Strategy& entry, Transfer& transfer) const {
    PlanTransfer(transfer, range);
    entry.Admit(transfer);
  }
  Transfer Run(BufOp op, int64_t blkno, size_t length, bool raw = false) {
    Transfer transfer = Make(op, blkno, length, raw);
    Admit(faulty, transfer);
    RunTransfer(faulty, transfer);
    return transfer;
  }
  // How many draws were made since Faults(rate, seed): the stream goes on where a fresh one is after that many.
  int DrawsSince(uint32_t rate, uint32_t seed = 1) {
    std::vector<bool> next;
    for (int i = 0; i < 64; i++) next.push_back(injector.DrawUntilFailure(1) == 0);
    for (int skipped = 0; skipped < 100; skipped++) {
      FaultInjector fresh;
      FaultInjector::Settings settings;
      settings.rate = rate;
      settings.seed = seed;
      fresh.Set(settings);
      for (int i = 0; i < skipped; i++) static_cast<void>(fresh.DrawUntilFailure(1));
      bool same = true;
      for (int i = 0; i < 64; i++) same = (fresh.DrawUntilFailure(1) == 0) == next[static_cast<size_t>(i)] && same;
      if (same) return skipped;
    }
    return -1;
  }

  FaultInjector injector;
  PioStrategy pio;
  FaultStrategy faulty;
  std::vector<uint8_t> memory;
};

TEST_CASE("F1: a doomed buf is EIO with all of it left over, and the host is not asked") {
  FaultRig rig;
  rig.Faults(kBlkfailMax);
  for (const BufOp op : {BufOp::kRead, BufOp::kWrite}) {
    const Transfer transfer = rig.Run(op, 0, 512);
    CHECK(transfer.status.err == EIO);
    CHECK(transfer.status.op == Op::kStrategy);
    CHECK(transfer.moved == 0);
    CHECK(transfer.injected);
  }
  CHECK(rig.host.calls(test::Call::kPread) + rig.host.calls(test::Call::kPwrite) == 0);
  CHECK(rig.Count(Counter::kFaultsInjected) == 2);
  CHECK(rig.Count(Counter::kIoTotal) == 0);
  CHECK(rig.Count(Counter::kBytesWritten) == 0);
}

TEST_CASE("the requests that fail are the seed's, reads and writes and devices in one stream") {
  FaultRig rig;
  FaultStrategy second(rig.counters, rig.injector, rig.pio);
  rig.Faults(2500);
  std::vector<int> failures;
  for (int i = 0; i < 48; i++) {
    Transfer transfer = rig.Make(i % 3 == 0 ? BufOp::kWrite : BufOp::kRead, i, 512, false);
    Strategy& entry = i % 2 == 0 ? static_cast<Strategy&>(second) : rig.faulty;
    rig.Admit(entry, transfer);
    RunTransfer(entry, transfer);
    if (!transfer.status.ok()) failures.push_back(i);
  }
  CHECK(failures == std::vector<int>{1, 5, 10, 11, 17, 21, 22, 23, 25, 27, 30, 31, 33, 34, 39, 43, 47});
}

TEST_CASE("draws are taken in the order of the calls, whatever the order in which they run") {
  FaultRig rig;
  rig.Faults(2500);
  std::vector<Transfer> transfers;
  for (int i = 0; i < 24; i++) transfers.push_back(rig.Make(BufOp::kRead, i, 512, false));
  for (Transfer& transfer : transfers) rig.Admit(rig.faulty, transfer);
  std::vector<int> failures;
  for (int i = 23; i >= 0; i--) {
    RunTransfer(rig.faulty, transfers[static_cast<size_t>(i)]);
    if (!transfers[static_cast<size_t>(i)].status.ok()) failures.insert(failures.begin(), i);
  }
  CHECK(failures == std::vector<int>{1, 5, 10, 11, 17, 21, 22, 23});
}

TEST_CASE("a raw transfer draws once for each of its bufs and fails in the one that was drawn") {
  FaultRig rig;
  rig.Faults(2500);  // fails draws 1, 5, 10
  Transfer transfer = rig.Run(BufOp::kRead, 0, 4 * kChunk, true);
  CHECK(transfer.status.err == EIO);
  CHECK(transfer.injected);
  CHECK(transfer.moved == kChunk);
  CHECK(transfer.failed_blkno == 128);
  transfer = rig.Run(BufOp::kRead, 0, 3 * kChunk, true);  // draws 2, 3, 4
  CHECK(transfer.status.ok());
  CHECK(transfer.moved == 3 * kChunk);
  CHECK(rig.DrawsSince(2500) == 5);
}

TEST_CASE("bufs that are never issued draw nothing") {
  struct Case {
    BufOp op;
    int64_t blkno;
    size_t length;
    bool raw;
    int draws;
  };
  // A device of 100 KiB: one whole chunk and a part of one. At rate 2000 seed 0 fails in draw 6 first.
  const Case cases[] = {
      {BufOp::kRead, 0, 0, true, 0},            // no buf
      {BufOp::kRead, 0, 8 * kChunk, true, 2},   // the second one is short
      {BufOp::kRead, 0, 8 * kChunk, false, 1},  // one buf
      {BufOp::kRead, 8, kChunk, true, 1},
      {BufOp::kRead, 72, 8 * kChunk, true, 2},   // one that just fits, and one at the end
      {BufOp::kRead, 200, 8 * kChunk, true, 1},  // at the end
      {BufOp::kRead, 201, 8 * kChunk, true, 1},  // beyond: the draw comes before the bounds
      {BufOp::kRead, -1, 8 * kChunk, true, 1},
      {BufOp::kRead, int64_t{1} << 60, 8 * kChunk, true, 1},
      {BufOp::kWrite, 0, 8 * kChunk, true, 2},
  };
  for (const Case& c : cases) {
    FaultRig rig(100 * kKiB);
    rig.Faults(2000, 0);
    const Transfer transfer = rig.Run(c.op, c.blkno, c.length, c.raw);
    INFO("blkno " << c.blkno << " length " << c.length << " raw " << c.raw);
    CHECK_FALSE(transfer.injected);
    CHECK(rig.DrawsSince(2000, 0) == c.draws);
  }
}

TEST_CASE("a raw transfer inside a sector makes no buf and draws nothing") {
  FaultRig rig;
  rig.Faults(5000);
  Transfer transfer = rig.Make(BufOp::kRead, 0, 4 * kChunk, true);
  transfer.position = 1;
  rig.Admit(rig.faulty, transfer);
  RunTransfer(rig.faulty, transfer);
  CHECK(transfer.status.err == EINVAL);
  CHECK(rig.DrawsSince(5000) == 0);
}

TEST_CASE("a raw write on an 'r' open is refused in its first buf and draws once") {
  FaultRig rig(kMiB, false);
  rig.Faults(2500);  // draw 0 passes, draw 1 fails
  const Transfer transfer = rig.Run(BufOp::kWrite, 0, 4 * kChunk, true);
  CHECK(transfer.status.err == EACCES);
  CHECK(rig.DrawsSince(2500) == 1);
}

TEST_CASE("F5: the draw comes before the bounds check, as in the seed") {
  FaultRig rig;
  rig.Faults(kBlkfailMax);
  CHECK(rig.Run(BufOp::kRead, 1 << 20, 512).status.err == EIO);
  rig.Faults(0);
  CHECK(rig.Run(BufOp::kRead, 1 << 20, 512).status.err == EINVAL);
}

TEST_CASE("rate 0 fails and counts nothing") {
  FaultRig rig;
  rig.Faults(0);
  for (int i = 0; i < 50; i++) CHECK(rig.Run(BufOp::kRead, i, 512).moved == 512);
  CHECK(rig.Count(Counter::kFaultsInjected) == 0);
  CHECK(rig.Count(Counter::kIoTotal) == 50);
}

}  // namespace
}  // namespace blk
