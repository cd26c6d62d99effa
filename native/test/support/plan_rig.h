// PlanRig: a file whose content tells what was written to it, a device on it, and fault plans of its driver.
#ifndef RUMPBLK_TEST_SUPPORT_PLAN_RIG_H_
#define RUMPBLK_TEST_SUPPORT_PLAN_RIG_H_

#include <algorithm>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/device/driver.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/temp_file.h"

namespace blk::test {

inline constexpr uint64_t kSize = 1024 * 1024;
inline constexpr uint64_t kOld = 0, kNew = 7;  // salts of what the file has, and of what is written

inline constexpr uint32_t Bit(FaultOp op) { return 1u << static_cast<unsigned>(op); }

inline FaultRule Rule(FaultKind kind, uint32_t ops, uint64_t a = 0, uint64_t b = 0) {
  FaultRule rule;
  rule.kind = kind;
  rule.ops = ops;
  rule.a = a;
  rule.b = b;
  return rule;
}

// A file, and a device on it.
struct PlanRig {
  explicit PlanRig(Access access = Access::kAuto, CacheMode cache = CacheMode::kWriteback, bool raw = false)
      : file(kSize), driver(DriverOptions{}, host) {
    file.Fill();
    options.mode = OpenMode::kReadWrite;
    options.access = access;
    options.cache = cache;
    options.raw = raw;
    minor = driver.Register(file.path(), {}).value();
    device = driver.Open(minor, options).Take();
  }

  std::shared_ptr<FaultRun> Set(std::vector<FaultRule> rules, uint64_t seed = 1, std::vector<SectorSpan> allow = {}) {
    FaultPlan plan;
    plan.seed = seed;
    plan.rules = std::move(rules);
    plan.allow = std::move(allow);
    run = std::make_shared<FaultRun>(std::move(plan));
    CHECK(driver.SetPlan(run).ok());
    return run;
  }
  Request Run(Operation op, uint64_t sector, size_t sectors) {
    memory = Pattern(sector * 512, sectors * 512, kNew);
    Request request = MovesBytes(op)
                          ? device->BytesRequest(op, sector * 512, memory.data(), memory.size(), Fua::kByCacheMode)
                          : device->RangeRequest(op, sector * 512, sectors * 512, Fua::kByCacheMode);
    device->Run(request);
    return request;
  }
  Request Write(uint64_t sector, size_t sectors) { return Run(Operation::kWrite, sector, sectors); }
  Request Read(uint64_t sector, size_t sectors) { return Run(Operation::kRead, sector, sectors); }
  // Sectors of the file that are not as they were; checks that each is as it was written.
  std::set<uint64_t> Changed() {
    std::set<uint64_t> changed;
    const std::vector<uint8_t> now = file.Read(0, kSize), before = Pattern(0, kSize, kOld),
                               written = Pattern(0, kSize, kNew);
    for (uint64_t sector = 0; sector < kSize / 512; sector++) {
      const auto same = [&](const std::vector<uint8_t>& as) {
        return std::equal(now.begin() + static_cast<ptrdiff_t>(sector * 512),
                          now.begin() + static_cast<ptrdiff_t>(sector * 512 + 512),
                          as.begin() + static_cast<ptrdiff_t>(sector * 512));
      };
      if (same(before)) continue;
      changed.insert(sector);
      if (!same(written)) damaged.insert(sector);
    }
    return changed;
  }
  uint64_t injected() { return driver.counters().Total(Counter::kFaultsInjected); }

  FakeHost host;
  TempFile file;
  Driver driver;
  OpenOptions options;
  int minor = 0;
  std::shared_ptr<Device> device;
  std::shared_ptr<FaultRun> run;
  std::vector<uint8_t> memory;
  std::set<uint64_t> damaged;
};

inline constexpr Access kAccesses[] = {Access::kAuto, Access::kMmap, Access::kPio};

inline std::set<uint64_t> Range(uint64_t begin, uint64_t end) {
  std::set<uint64_t> sectors;
  for (uint64_t sector = begin; sector < end; sector++) sectors.insert(sector);
  return sectors;
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_PLAN_RIG_H_
