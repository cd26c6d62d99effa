// What a fault plan does to reads and writes, seen from outside by the bytes of the host file.
// Over 300 lines: one list of what rules and actions do.
#include <bit>

#include "core/filter/fault_damage.h"
#include "test/support/plan_rig.h"

namespace blk {
namespace {

using test::Bit;
using test::kAccesses;
using test::kNew;
using test::kOld;
using test::Pattern;
using test::PlanRig;
using test::Range;
using test::Rule;

TEST_CASE("without a rule that takes it a request is as ever") {
  for (const Access access : kAccesses) {
    PlanRig rig(access);
    FaultRule other = Rule(FaultKind::kErrno, Bit(FaultOp::kWrite), EIO);
    other.sectors = {{100, 200}};
    rig.Set({other});
    CHECK(rig.Write(10, 4).moved == 2048);
    CHECK(rig.Changed() == Range(10, 14));
    CHECK(rig.Read(10, 4).status.ok());
    CHECK(rig.memory == Pattern(10 * 512, 2048, kNew));
    CHECK(rig.run->Log(0).empty());
    CHECK(rig.injected() == 0);
  }
}

TEST_CASE("errno: the piece fails with it and nothing of it happens") {
  for (const Access access : kAccesses) {
    PlanRig rig(access);
    rig.Set({Rule(FaultKind::kErrno, Bit(FaultOp::kWrite), ENOSPC)});
    const Request request = rig.Write(10, 4);
    CHECK(request.status.err == ENOSPC);
    CHECK(request.status.why == Why::kInjected);
    CHECK(request.injected);
    CHECK(request.moved == 0);
    CHECK(request.failed_blkno == 10);
    CHECK(rig.Changed().empty());
    CHECK(rig.Read(10, 4).status.ok());
    CHECK(rig.injected() == 1);
    CHECK(rig.driver.SetPlan(nullptr).ok());
    CHECK(rig.Write(10, 4).status.ok());
    CHECK(rig.Changed() == Range(10, 14));
  }
}

TEST_CASE("a raw request is matched piece by piece, and ends at the one that fails") {
  PlanRig rig(Access::kPio, CacheMode::kWriteback, true);
  FaultRule second = Rule(FaultKind::kErrno, Bit(FaultOp::kWrite), EIO);
  second.after = 1;
  rig.Set({second});
  const Request request = rig.Write(0, 3 * 128);
  CHECK(request.moved == 64 * 1024);
  CHECK(request.failed_blkno == 128);
  CHECK(rig.Changed() == Range(0, 128));
  const std::vector<FaultEvent> log = rig.run->Log(0);
  REQUIRE(log.size() == 1);
  CHECK(log[0].n == 2);
  CHECK(log[0].blkno == 128);
  CHECK(log[0].bcount == 64 * 1024);
}

TEST_CASE("short: so many bytes move, and it is no failure") {
  for (const Access access : kAccesses) {
    PlanRig rig(access);
    rig.Set({Rule(FaultKind::kShort, Bit(FaultOp::kRead) | Bit(FaultOp::kWrite), 1024)});
    Request request = rig.Write(10, 4);
    CHECK(request.status.ok());
    CHECK(request.moved == 1024);
    CHECK(rig.Changed() == Range(10, 12));
    CHECK(rig.Read(10, 4).moved == 1024);
    CHECK(rig.Read(10, 2).moved == 1024);
    CHECK(rig.run->Log(0).size() == 2);
  }
}

TEST_CASE("tear: a prefix, a suffix or a subset of the sectors is there, and it says that all are") {
  for (const Access access : kAccesses) {
    for (const FaultTear tear : {FaultTear::kPrefix, FaultTear::kSuffix, FaultTear::kSubset}) {
      PlanRig rig(access);
      rig.Set({Rule(FaultKind::kTear, Bit(FaultOp::kWrite), static_cast<uint64_t>(tear))});
      CHECK(rig.Write(16, 16).moved == 16 * 512);
      const std::set<uint64_t> changed = rig.Changed();
      CHECK(!changed.empty());
      CHECK(changed.size() < 16);
      CHECK(rig.damaged.empty());
      if (tear == FaultTear::kPrefix) CHECK(changed == Range(16, 16 + changed.size()));
      if (tear == FaultTear::kSuffix) CHECK(changed == Range(32 - changed.size(), 32));
      CHECK(rig.Write(0, 1).moved == 512);  // one sector is not torn
      CHECK(rig.run->Log(0).size() == 1);
    }
  }
}

TEST_CASE("corrupt: a write leaves flipped or stuck bits, a read sees the same ones again") {
  for (const Access access : kAccesses) {
    PlanRig rig(access);
    rig.Set({Rule(FaultKind::kCorrupt, Bit(FaultOp::kWrite), static_cast<uint64_t>(FaultDamage::kFlip), 1)});
    CHECK(rig.Write(8, 8).moved == 8 * 512);
    CHECK(rig.memory == Pattern(8 * 512, 8 * 512, kNew));
    CHECK(rig.Changed() == Range(8, 16));
    CHECK(rig.damaged.size() == 1);

    PlanRig reads(access);
    reads.Set({Rule(FaultKind::kCorrupt, Bit(FaultOp::kRead), static_cast<uint64_t>(FaultDamage::kFlip), 3)});
    reads.Read(8, 8);
    const std::vector<uint8_t> first = reads.memory;
    CHECK(first != Pattern(8 * 512, 8 * 512, kOld));
    int bits = 0;
    for (size_t i = 0; i < first.size(); i++) {
      bits += __builtin_popcount(static_cast<unsigned>(first[i] ^ Pattern(8 * 512, 8 * 512, kOld)[i]));
    }
    CHECK(bits == 3);
    reads.Read(8, 8);
    CHECK(reads.memory == first);
    CHECK(reads.Changed().empty());

    PlanRig stuck(access);
    stuck.Set({Rule(FaultKind::kCorrupt, Bit(FaultOp::kRead), static_cast<uint64_t>(FaultDamage::kStuck), 64)});
    stuck.Read(8, 1);
    const std::vector<uint8_t> old = Pattern(8 * 512, 512, kOld);
    int ones = 0, zeros = 0;
    for (size_t i = 0; i < 512; i++) {
      ones += __builtin_popcount(static_cast<unsigned>(stuck.memory[i] & ~old[i]));
      zeros += __builtin_popcount(static_cast<unsigned>(~stuck.memory[i] & old[i]));
    }
    CHECK(ones + zeros > 0);
    CHECK((ones == 0 || zeros == 0));
  }
}

TEST_CASE("misdirect: a write lands elsewhere, whole, and a read comes from elsewhere") {
  for (const Access access : kAccesses) {
    PlanRig rig(access);
    rig.Set({Rule(FaultKind::kCorrupt, Bit(FaultOp::kWrite), static_cast<uint64_t>(FaultDamage::kMisdirect))});
    CHECK(rig.Write(8, 4).moved == 4 * 512);
    const std::set<uint64_t> changed = rig.Changed();
    REQUIRE(changed.size() == 4);
    const uint64_t at = *changed.begin();
    CHECK(changed == Range(at, at + 4));
    CHECK((at + 4 <= 8 || at >= 12));
    CHECK(rig.file.Read(at * 512, 4 * 512) == Pattern(8 * 512, 4 * 512, kNew));
    rig.Set({Rule(FaultKind::kCorrupt, Bit(FaultOp::kRead), static_cast<uint64_t>(FaultDamage::kMisdirect), 1 + 100)});
    rig.Read(8, 4);
    CHECK(rig.memory == Pattern(100 * 512, 4 * 512, kOld));
  }
}

TEST_CASE("drop: a write is answered and does not happen") {
  for (const Access access : kAccesses) {
    PlanRig rig(access);
    FaultRule once = Rule(FaultKind::kDrop, Bit(FaultOp::kWrite) | Bit(FaultOp::kZero));
    once.times = 2;
    rig.Set({once});
    CHECK(rig.Write(8, 4).moved == 4 * 512);
    CHECK(rig.Run(Operation::kZero, 8, 4).moved == 4 * 512);
    CHECK(rig.Changed().empty());
    CHECK(rig.Write(8, 4).moved == 4 * 512);
    CHECK(rig.Changed() == Range(8, 12));
  }
}

TEST_CASE("budget: what goes beyond it is ENOSPC behind what fits") {
  for (const Access access : kAccesses) {
    PlanRig rig(access);
    rig.Set({Rule(FaultKind::kBudget, Bit(FaultOp::kWrite), 6 * 512)});
    CHECK(rig.Write(0, 4).status.ok());
    const Request request = rig.Write(4, 4);
    CHECK(request.status.err == ENOSPC);
    CHECK(request.moved == 2 * 512);
    CHECK(rig.Write(20, 1).moved == 0);
    CHECK(rig.Changed() == Range(0, 6));
    CHECK(rig.run->Log(0).size() == 2);
  }
}

TEST_CASE("bad until written: reads of those sectors fail until they are") {
  for (const Access access : kAccesses) {
    PlanRig rig(access);
    FaultRule once = Rule(FaultKind::kBadUntilWritten, Bit(FaultOp::kRead));
    once.times = 1;
    once.sectors = {{10, 11}};
    rig.Set({once});
    CHECK(rig.Read(8, 1).status.ok());
    CHECK(rig.Read(10, 2).status.err == EIO);
    CHECK(rig.Read(11, 1).status.err == EIO);
    CHECK(rig.Read(12, 1).status.ok());
    CHECK(rig.Write(10, 1).status.ok());
    CHECK(rig.Read(10, 1).status.ok());
    CHECK(rig.Read(11, 1).status.err == EIO);
    CHECK(rig.Write(11, 1).status.ok());
    CHECK(rig.Read(10, 2).status.ok());
  }
}

TEST_CASE("every, after, times, minor, state and allow choose among requests") {
  PlanRig rig;
  FaultRule rule = Rule(FaultKind::kErrno, Bit(FaultOp::kRead), EIO);
  rule.every = 3;
  rule.after = 2;
  rule.times = 2;
  rig.Set({rule});
  std::vector<int> failed;
  for (int i = 1; i <= 15; i++) {
    if (!rig.Read(0, 1).status.ok()) failed.push_back(i);
  }
  CHECK(failed == std::vector<int>{5, 8});

  rule = Rule(FaultKind::kErrno, Bit(FaultOp::kRead), EIO);
  rule.minor = rig.minor + 1;
  rig.Set({rule});
  CHECK(rig.Read(0, 1).status.ok());

  rule.minor = rig.minor;
  rule.state = 1;
  rig.Set({rule, Rule(FaultKind::kEnter, Bit(FaultOp::kFlush), 1)});
  CHECK(rig.Read(0, 1).status.ok());
  CHECK(rig.device->Flush(kSharedLane).ok());
  CHECK(rig.Read(0, 1).status.err == EIO);
  CHECK(rig.injected() == 3);  // the change of state is none

  rig.Set({Rule(FaultKind::kErrno, Bit(FaultOp::kRead), EIO)}, 1, {{10, 20}});
  CHECK(rig.Read(0, 1).status.err == EIO);
  CHECK(rig.Read(9, 2).status.ok());
  CHECK(rig.Read(20, 1).status.err == EIO);
}

TEST_CASE("probability: as often as it says, and again the same with the same seed") {
  const auto failures = [](uint64_t seed) {
    PlanRig rig;
    FaultRule rule = Rule(FaultKind::kErrno, Bit(FaultOp::kRead), EIO);
    rule.probability = 0.25;
    rig.Set({rule}, seed);
    std::vector<int> failed;
    for (int i = 0; i < 400; i++) {
      if (!rig.Read(0, 1).status.ok()) failed.push_back(i);
    }
    return failed;
  };
  const std::vector<int> one = failures(1);
  CHECK(one.size() > 60);
  CHECK(one.size() < 140);
  CHECK(failures(1) == one);
  CHECK(failures(2) != one);
}

TEST_CASE("damage reaches as many bits as are asked for, whatever part of a sector there is") {
  for (const size_t size : {size_t{1}, size_t{13}, size_t{23}, size_t{26}, size_t{299}, size_t{512}}) {
    INFO("of " << size << " bytes");
    for (const FaultDamage damage : {FaultDamage::kFlip, FaultDamage::kStuck}) {
      FaultEffect effect;
      effect.kind = FaultKind::kCorrupt;
      effect.end = size;
      effect.a = static_cast<uint64_t>(damage);
      effect.key = 77;
      std::vector<uint8_t> zeros(size, 0), ones(size, 0xff);
      const auto changed = [&](uint64_t bits) {
        effect.b = bits;
        std::vector<uint8_t> low = zeros, high = ones;
        Damage(effect, 0, low.data(), size);
        Damage(effect, 0, high.data(), size);
        size_t count = 0;
        for (size_t i = 0; i < size; i++) {
          count += static_cast<size_t>(std::popcount(low[i])) + 8 - static_cast<size_t>(std::popcount(high[i]));
        }
        return damage == FaultDamage::kFlip ? count / 2 : count;
      };
      for (const uint64_t bits : {uint64_t{1}, uint64_t{5}, uint64_t{8} * size / 2, uint64_t{8} * size}) {
        CHECK(changed(bits) == std::min<uint64_t>(bits, uint64_t{8} * size));
      }
    }
  }
}

TEST_CASE("a rule about the n-th of an operation counts what nothing else takes, and takes that alone") {
  PlanRig rig;
  FaultRule third = Rule(FaultKind::kErrno, Bit(FaultOp::kWrite), EIO);
  third.n = 3;
  FaultRule fifth = Rule(FaultKind::kDrop, Bit(FaultOp::kWrite));
  fifth.n = 5;
  rig.Set({fifth, third}, 1, {{0, 10}});
  CHECK(rig.Write(0, 1).status.ok());   // 1, of what is left alone
  CHECK(rig.Read(20, 1).status.ok());   // of another operation
  CHECK(rig.Write(20, 1).status.ok());  // 2
  CHECK(rig.Write(30, 1).status.err == EIO);
  CHECK(rig.Write(40, 1).status.ok());
  CHECK(rig.Write(50, 1).status.ok());
  CHECK(rig.Write(60, 1).status.ok());
  CHECK(rig.Changed() == std::set<uint64_t>{0, 20, 40, 60});
}

TEST_CASE("the seed's generator as a rule fails the requests that it fails by itself") {
  for (const uint32_t rate : {100u, 2500u, 10000u}) {
    PlanRig seed(Access::kPio, CacheMode::kWriteback, true), plan(Access::kPio, CacheMode::kWriteback, true);
    CHECK(seed.driver.SetFaults({rate, 42}).ok());
    plan.Set({Rule(FaultKind::kGenerator, Bit(FaultOp::kRead) | Bit(FaultOp::kWrite), rate)}, 42);
    for (uint64_t i = 0; i < 200; i++) {
      const Operation op = i % 3 == 0 ? Operation::kWrite : Operation::kRead;
      // Some at the end of the device, and some beyond.
      const uint64_t sector = i % 7 == 0 ? 2000 + i : i;
      const Request a = seed.Run(op, sector, 1 + i % 5 * 128), b = plan.Run(op, sector, 1 + i % 5 * 128);
      CHECK(a.status.err == b.status.err);
      CHECK(a.moved == b.moved);
      CHECK(a.injected == b.injected);
    }
    CHECK(seed.injected() == plan.injected());
  }
}

}  // namespace
}  // namespace blk
