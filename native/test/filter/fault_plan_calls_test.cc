// What a fault plan does to other calls than reads and writes: flushes, batches, opens, leases, discards.
#include "core/medium/late_medium.h"
#include "core/medium/memory_medium.h"
#include "test/support/plan_rig.h"

namespace blk {
namespace {

using test::Bit;
using test::kAccesses;
using test::kNew;
using test::Pattern;
using test::PlanRig;
using test::Range;
using test::Rule;

TEST_CASE("errno of discards and zeros") {
  PlanRig rig;
  rig.Set({Rule(FaultKind::kErrno, Bit(FaultOp::kDiscard) | Bit(FaultOp::kZero), EIO)});
  CHECK(rig.Run(Operation::kDiscard, 8, 8).status.op == Op::kDiscard);
  CHECK(rig.Run(Operation::kZero, 8, 8).status.op == Op::kZero);
  CHECK(rig.Changed().empty());
}

TEST_CASE("a flush that fails loses what it would have covered, and its error sticks") {
  for (const Access access : kAccesses) {
    PlanRig rig(access);
    FaultRule second = Rule(FaultKind::kErrno, Bit(FaultOp::kFlush), EIO);
    second.after = 1;
    second.times = 1;
    rig.Set({second});
    CHECK(rig.Write(0, 4).status.ok());
    CHECK(rig.device->Flush(kSharedLane).ok());
    CHECK(rig.Write(2, 4).status.ok());
    CHECK(rig.Write(100, 1).status.ok());
    ByteSpan lost;
    const Status status = rig.device->Flush(kSharedLane, &lost);
    CHECK(status.err == EIO);
    CHECK(status.op == Op::kFlush);
    CHECK(status.why == Why::kInjected);
    CHECK(lost.begin == 2 * 512);
    CHECK(lost.end == 101 * 512);
    CHECK(rig.Changed() == Range(0, 4));
    CHECK(rig.device->Flush(kSharedLane).err == EIO);
    CHECK(rig.device->Close().err == EIO);
    rig.device = rig.driver.Open(rig.minor, rig.options).Take();
    CHECK(rig.Write(2, 4).status.ok());
    CHECK(rig.device->Flush(kSharedLane).ok());
    CHECK(rig.Changed() == Range(0, 6));
  }
}

TEST_CASE("a flush that fails loses no durable write, and with keep it loses nothing") {
  for (const Access access : kAccesses) {
    PlanRig rig(access);
    rig.Set({Rule(FaultKind::kErrno, Bit(FaultOp::kFlush), EIO)});
    std::vector<uint8_t> bytes = Pattern(0, 512, kNew);
    CHECK(rig.Write(0, 2).status.ok());
    Request durable = rig.device->BytesRequest(Operation::kWrite, 0, bytes.data(), bytes.size(), Fua::kOn);
    rig.device->Run(durable);
    CHECK(durable.status.ok());
    CHECK(rig.device->Flush(kSharedLane).err == EIO);
    CHECK(rig.Changed() == Range(0, 1));

    PlanRig keeps(access);
    keeps.Set({Rule(FaultKind::kErrno, Bit(FaultOp::kFlush), EIO, 1)});
    CHECK(keeps.Write(0, 2).status.ok());
    CHECK(keeps.device->Flush(kSharedLane).err == EIO);
    CHECK(keeps.Changed() == Range(0, 2));
    CHECK(keeps.driver.SetPlan(nullptr).ok());
    CHECK(keeps.device->Flush(kSharedLane).ok());
  }
}

TEST_CASE("ignoreFlush: the flush is answered, and the host is not asked") {
  PlanRig rig(Access::kPio);
  rig.Set({Rule(FaultKind::kIgnoreFlush, Bit(FaultOp::kFlush))});
  CHECK(rig.Write(0, 2).status.ok());
  const uint64_t before = rig.host.calls(test::Call::kFdatasync);
  CHECK(rig.device->Flush(kSharedLane).ok());
  CHECK(rig.host.calls(test::Call::kFdatasync) == before);
  CHECK(rig.driver.SetPlan(nullptr).ok());
  CHECK(rig.device->Flush(kSharedLane).ok());
  CHECK(rig.host.calls(test::Call::kFdatasync) == before + 1);
}

TEST_CASE("opening and lending fail when a rule says so") {
  PlanRig rig(Access::kMmap);
  FaultRule opens = Rule(FaultKind::kErrno, Bit(FaultOp::kOpen), EACCES);
  opens.times = 1;
  FaultRule maps = Rule(FaultKind::kErrno, Bit(FaultOp::kMap), ENOMEM);
  maps.times = 1;
  rig.Set({opens, maps});
  CHECK(rig.driver.AdmitOpen(rig.minor).err == EACCES);
  CHECK(rig.driver.AdmitOpen(rig.minor).ok());
  const auto refused = rig.device->Map(0, 4096);
  REQUIRE(!refused.ok());
  CHECK(refused.status().err == ENOMEM);
  CHECK(refused.status().why == Why::kInjected);
  CHECK(rig.device->Map(0, 4096).ok());
  CHECK(rig.injected() == 2);
}

TEST_CASE("entries of a batch meet their own faults") {
  PlanRig rig;
  FaultRule first = Rule(FaultKind::kErrno, Bit(FaultOp::kWrite), EIO);
  first.every = 2;
  FaultRule flush = Rule(FaultKind::kErrno, Bit(FaultOp::kFlush), ENOSPC);
  rig.Set({first, flush});
  std::vector<uint8_t> op(5), fua(5), arena = Pattern(0, 4 * 512, kNew);
  std::vector<double> blkno{0, 1, 2, 3, 0};
  std::vector<uint32_t> bcount(5, 512), offset{0, 512, 1024, 1536, 0}, resid(5);
  std::vector<int32_t> error(5);
  for (size_t i = 0; i < 4; i++) op[i] = static_cast<uint8_t>(BatchOp::kWrite);
  op[4] = static_cast<uint8_t>(BatchOp::kFlush);
  const BatchArrays arrays{op.data(),     fua.data(),   blkno.data(), bcount.data(),
                           offset.data(), resid.data(), error.data()};
  BatchRun run(arrays, arena.data(), arena.size(), 5, rig.device->ForBatch());
  run.Admit();
  CHECK(run.Run(false, kSharedLane, nullptr,
                [&](const BatchSync& what) { return rig.device->SyncBatch(run.entry(), kSharedLane, what); }));
  CHECK(error == std::vector<int32_t>{0, -EIO, 0, -EIO, -ENOSPC});
  CHECK(rig.Changed().empty());  // lost with the flush
  CHECK(rig.run->Log(0).size() == 3);
}

TEST_CASE("on a medium that answers later effects are the same") {
  const auto store = MemoryMedium::CreateStore(test::kSize, "late", 512).Take();
  const auto answers = std::make_shared<LateAnswers>(std::chrono::microseconds(100), 1);
  Driver driver{DriverOptions{}};
  OpenOptions options;
  options.mode = OpenMode::kReadWrite;
  const auto open = [&](bool late) {
    std::unique_ptr<Medium> medium = std::make_unique<MemoryMedium>(store);
    if (late) medium = std::make_unique<LateMedium>(std::move(medium), answers);
    return driver.OpenPrivate(std::move(medium), {}, "", options).Take();
  };
  auto device = open(true);
  FaultPlan plan;
  plan.rules = {Rule(FaultKind::kTear, Bit(FaultOp::kWrite), 0, 1 + 2)};
  CHECK(driver.SetPlan(std::make_shared<FaultRun>(plan)).ok());
  std::vector<uint8_t> bytes = Pattern(0, 2048, kNew);
  Request request = device->BytesRequest(Operation::kWrite, 0, bytes.data(), bytes.size(), Fua::kByCacheMode);
  device->Run(request);
  CHECK(request.moved == 2048);
  CHECK(driver.SetPlan(nullptr).ok());
  std::vector<uint8_t> back(2048);
  request = device->BytesRequest(Operation::kRead, 0, back.data(), back.size(), Fua::kByCacheMode);
  device->Run(request);
  std::fill(bytes.begin() + 1024, bytes.end(), uint8_t{0});
  CHECK(back == bytes);
}

}  // namespace
}  // namespace blk
