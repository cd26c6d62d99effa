#include "core/filter/fault_filter.h"

#include "core/filter/filter_chain.h"
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
      : Rig(size, 0, size, writable), pio(range, *disk), faults(counters, injector), chain(pio, {{&faults}}) {}
  void Faults(uint32_t rate, uint32_t seed = 1) {
    FaultInjector::Settings settings;
    settings.rate = rate;
    settings.seed = seed;
    injector.Set(settings);
  }
  Request Make(Operation op, int64_t blkno, size_t length, bool raw) {
    memory.resize(std::max(memory.size(), length));
    Request request;
    request.operation = op;
    request.position = PositionOfSector(blkno);
    request.length = length;
    request.data = memory.data();
    request.raw = raw;
    return request;
  }
  void Admit(Strategy& entry, Request& request) const {
    PlanRequest(request, range);
    entry.Admit(request);
  }
  Request Run(Operation op, int64_t blkno, size_t length, bool raw = false) {
    Request request = Make(op, blkno, length, raw);
    Admit(entry(), request);
    RunRequest(entry(), request);
    return request;
  }
  Strategy& entry() const { return chain.entry(); }
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
  FaultFilter faults;
  FilterChain chain;
  std::vector<uint8_t> memory;
};

TEST_CASE("F1: a doomed piece is EIO with all of it left over, and the host is not asked") {
  FaultRig rig;
  rig.Faults(kBlkfailMax);
  for (const Operation op : {Operation::kRead, Operation::kWrite}) {
    const Request request = rig.Run(op, 0, 512);
    CHECK(request.status.err == EIO);
    CHECK(request.status.op == Op::kStrategy);
    CHECK(request.moved == 0);
    CHECK(request.injected);
  }
  CHECK(rig.host.calls(test::Call::kPread) + rig.host.calls(test::Call::kPwrite) == 0);
  CHECK(rig.Count(Counter::kFaultsInjected) == 2);
  CHECK(rig.Count(Counter::kIoTotal) == 0);
  CHECK(rig.Count(Counter::kBytesWritten) == 0);
}

TEST_CASE("the requests that fail are the seed's, reads and writes and devices in one stream") {
  FaultRig rig;
  FaultFilter faults(rig.counters, rig.injector);
  const FilterChain second(rig.pio, {{&faults}});
  rig.Faults(2500);
  std::vector<int> failures;
  for (int i = 0; i < 48; i++) {
    Request request = rig.Make(i % 3 == 0 ? Operation::kWrite : Operation::kRead, i, 512, false);
    Strategy& entry = i % 2 == 0 ? second.entry() : rig.entry();
    rig.Admit(entry, request);
    RunRequest(entry, request);
    if (!request.status.ok()) failures.push_back(i);
  }
  CHECK(failures == std::vector<int>{1, 5, 10, 11, 17, 21, 22, 23, 25, 27, 30, 31, 33, 34, 39, 43, 47});
}

TEST_CASE("draws are taken in the order of the calls, whatever the order in which they run") {
  FaultRig rig;
  rig.Faults(2500);
  std::vector<Request> requests;
  for (int i = 0; i < 24; i++) requests.push_back(rig.Make(Operation::kRead, i, 512, false));
  for (Request& request : requests) rig.Admit(rig.entry(), request);
  std::vector<int> failures;
  for (int i = 23; i >= 0; i--) {
    RunRequest(rig.entry(), requests[static_cast<size_t>(i)]);
    if (!requests[static_cast<size_t>(i)].status.ok()) failures.insert(failures.begin(), i);
  }
  CHECK(failures == std::vector<int>{1, 5, 10, 11, 17, 21, 22, 23});
}

TEST_CASE("a raw request draws once for each of its pieces and fails in the one that was drawn") {
  FaultRig rig;
  rig.Faults(2500);  // fails draws 1, 5, 10
  Request request = rig.Run(Operation::kRead, 0, 4 * kChunk, true);
  CHECK(request.status.err == EIO);
  CHECK(request.injected);
  CHECK(request.moved == kChunk);
  CHECK(request.failed_blkno == 128);
  request = rig.Run(Operation::kRead, 0, 3 * kChunk, true);  // draws 2, 3, 4
  CHECK(request.status.ok());
  CHECK(request.moved == 3 * kChunk);
  CHECK(rig.DrawsSince(2500) == 5);
}

TEST_CASE("pieces that are never issued draw nothing") {
  struct Case {
    Operation op;
    int64_t blkno;
    size_t length;
    bool raw;
    int draws;
  };
  // A device of 100 KiB: one whole chunk and a part of one. At rate 2000 seed 0 fails in draw 6 first.
  const Case cases[] = {
      {Operation::kRead, 0, 0, true, 0},            // no piece
      {Operation::kRead, 0, 8 * kChunk, true, 2},   // the second one is short
      {Operation::kRead, 0, 8 * kChunk, false, 1},  // one piece
      {Operation::kRead, 8, kChunk, true, 1},
      {Operation::kRead, 72, 8 * kChunk, true, 2},   // one that just fits, and one at the end
      {Operation::kRead, 200, 8 * kChunk, true, 1},  // at the end
      {Operation::kRead, 201, 8 * kChunk, true, 1},  // beyond: the draw comes before the bounds
      {Operation::kRead, -1, 8 * kChunk, true, 1},
      {Operation::kRead, int64_t{1} << 60, 8 * kChunk, true, 1},
      {Operation::kWrite, 0, 8 * kChunk, true, 2},
  };
  for (const Case& c : cases) {
    FaultRig rig(100 * kKiB);
    rig.Faults(2000, 0);
    const Request request = rig.Run(c.op, c.blkno, c.length, c.raw);
    INFO("blkno " << c.blkno << " length " << c.length << " raw " << c.raw);
    CHECK_FALSE(request.injected);
    CHECK(rig.DrawsSince(2000, 0) == c.draws);
  }
}

TEST_CASE("a raw request inside a sector makes no piece and draws nothing") {
  FaultRig rig;
  rig.Faults(5000);
  Request request = rig.Make(Operation::kRead, 0, 4 * kChunk, true);
  request.position = 1;
  rig.Admit(rig.entry(), request);
  RunRequest(rig.entry(), request);
  CHECK(request.status.err == EINVAL);
  CHECK(rig.DrawsSince(5000) == 0);
}

TEST_CASE("a raw write on an 'r' open is refused in its first piece and draws once") {
  FaultRig rig(kMiB, false);
  rig.Faults(2500);  // draw 0 passes, draw 1 fails
  const Request request = rig.Run(Operation::kWrite, 0, 4 * kChunk, true);
  CHECK(request.status.err == EACCES);
  CHECK(rig.DrawsSince(2500) == 1);
}

TEST_CASE("F5: the draw comes before the bounds check, as in the seed") {
  FaultRig rig;
  rig.Faults(kBlkfailMax);
  CHECK(rig.Run(Operation::kRead, 1 << 20, 512).status.err == EIO);
  rig.Faults(0);
  CHECK(rig.Run(Operation::kRead, 1 << 20, 512).status.err == EINVAL);
}

TEST_CASE("rate 0 fails and counts nothing") {
  FaultRig rig;
  rig.Faults(0);
  for (int i = 0; i < 50; i++) CHECK(rig.Run(Operation::kRead, i, 512).moved == 512);
  CHECK(rig.Count(Counter::kFaultsInjected) == 0);
  CHECK(rig.Count(Counter::kIoTotal) == 50);
}

}  // namespace
}  // namespace blk
