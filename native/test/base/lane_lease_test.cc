#include "core/base/lane_lease.h"

#include <list>
#include <set>

#include "core/base/counters.h"
#include "test/support/check.h"
#include "test/support/device_rig.h"
#include "test/support/threads.h"

namespace blk {
namespace {

TEST_CASE("each lease is another lane; those that find none left share one") {
  const auto lanes = std::make_shared<Lanes>();
  std::list<LaneLease> leases;
  std::set<int> had;
  for (int i = 0; i < kSharedLane; i++) had.insert(leases.emplace_back(lanes).lane());
  CHECK(had.size() == kSharedLane);
  CHECK(had.count(kSharedLane) == 0);
  for (int i = 0; i < 3; i++) CHECK(leases.emplace_back(lanes).lane() == kSharedLane);
  leases.clear();
  CHECK(LaneLease(lanes).lane() == 0);
  CHECK(LaneLease(nullptr).lane() == kSharedLane);
}

TEST_CASE("a lane that is given back is the next one's, and one in the middle too") {
  const auto lanes = std::make_shared<Lanes>();
  const LaneLease first(lanes);
  auto second = std::make_unique<LaneLease>(lanes);
  const LaneLease third(lanes);
  const Lane lane = second->lane();
  second.reset();
  CHECK(LaneLease(lanes).lane() == lane);
  CHECK(first.lane() != third.lane());
}

TEST_CASE("threads that lease and give back at once never have one lane at the same time") {
  constexpr int kEach = 20000;
  const auto lanes = std::make_shared<Lanes>();
  Counters counters;
  test::RunTogether(4, [&](size_t) {
    for (int i = 0; i < kEach; i++) {
      const LaneLease lease(lanes);
      counters.Add(Counter::kIoTotal, 1, lease.lane());
    }
  });
  CHECK(counters.Total(Counter::kIoTotal) == 4 * kEach);
}

TEST_CASE("a request counts in the shared lane unless it is told another") {
  CHECK(Piece().lane == kSharedLane);
  CHECK(Request().lane == kSharedLane);
}

TEST_CASE("B37: requests of two threads, made as they come, are all counted") {
  constexpr int kEach = 300000;
  for (const bool leased : {false, true}) {
    for (const Access access : {Access::kAuto, Access::kPio}) {
      test::DeviceRig rig;
      const auto device = rig.Open(access);
      const auto lanes = std::make_shared<Lanes>();
      test::RunTogether(2, [&](size_t) {
        const LaneLease lease(leased ? lanes : nullptr);
        uint8_t byte = 0;
        for (int i = 0; i < kEach; i++) {
          Request request = device->BytesRequest(Operation::kRead, 0, &byte, 1, Fua::kByCacheMode);
          if (leased) request.lane = lease.lane();
          device->Run(request);
        }
      });
      CHECK(rig.Count(Counter::kIoTotal) == 2 * kEach);
      CHECK(rig.Count(Counter::kBytesRead) == 2 * kEach);
    }
  }
}

}  // namespace
}  // namespace blk
