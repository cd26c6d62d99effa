// MapPolicy: when AutoStrategy copies from the map, and that it never invests more than it may.
#include "core/io/map_policy.h"

#include <doctest/doctest.h>

#include <cstdint>

#include "test/support/rig.h"

namespace blk {
namespace {

using Path = MapPolicy::Path;
using test::kGiB;
using test::kKiB;
using test::kMiB;

constexpr size_t kRequest = 4096;

TEST_CASE("a block is read by pread, then mapped when it is met again, then copied for good") {
  MapPolicy policy({0}, {64 * kMiB});
  const HostOffset at{5 * kMiB};
  CHECK(policy.Choose(at, kRequest, 0) == Path::kPread);
  CHECK(policy.Choose({at.value + 20 * kKiB}, kRequest, 0) == Path::kInvest);  // the same block of 64 KiB
  for (int i = 0; i < 3; i++) CHECK(policy.Choose({at.value + 40 * kKiB}, kRequest, 0) == Path::kCopy);
  CHECK(policy.Choose({at.value + 64 * kKiB}, kRequest, 0) == Path::kPread);  // the next one is not
}

TEST_CASE("a sequential reader of small requests is mapped at once, one of large requests is not") {
  MapPolicy small({0}, {64 * kMiB});
  CHECK(small.Choose({8 * kMiB}, kRequest, 0) == Path::kPread);
  CHECK(small.Choose({8 * kMiB + kRequest}, kRequest, 0) == Path::kInvest);
  MapPolicy large({0}, {64 * kMiB});
  CHECK(large.Choose({8 * kMiB}, 64 * kKiB, 0) == Path::kPread);
  CHECK(large.Choose({8 * kMiB + 64 * kKiB}, 64 * kKiB, 0) == Path::kPread);
}

TEST_CASE("every lane has a memory of its own for where it would go on") {
  MapPolicy policy({0}, {64 * kMiB});
  CHECK(policy.Choose({8 * kMiB}, 64 * kKiB, 1) == Path::kPread);
  CHECK(policy.Choose({8 * kMiB + 64 * kKiB}, kRequest, 2) == Path::kPread);
  CHECK(policy.Choose({20 * kMiB}, 64 * kKiB, 3) == Path::kPread);
  CHECK(policy.Choose({20 * kMiB + 64 * kKiB}, kRequest, 3) == Path::kInvest);
}

TEST_CASE("blocks that are forgotten start again") {
  MapPolicy policy({0}, {64 * kMiB});
  const uint64_t at = 5 * kMiB;
  for (int i = 0; i < 2; i++) {
    static_cast<void>(policy.Choose({at}, kRequest, 0));
    static_cast<void>(policy.Choose({at + kMiB}, kRequest, 0));
  }
  REQUIRE(policy.Choose({at}, kRequest, 0) == Path::kCopy);
  REQUIRE(policy.Choose({at + kMiB}, kRequest, 0) == Path::kCopy);
  policy.Forget({at}, {at + 64 * kKiB});
  CHECK(policy.Choose({at}, kRequest, 0) == Path::kPread);
  CHECK(policy.Choose({at + kMiB}, kRequest, 0) == Path::kCopy);
}

// Every block twice, and twice only: the worst case, in which no investment pays.
TEST_CASE("what is invested stays within what is on account, whatever the pattern") {
  constexpr int64_t kFaultNs = 2500, kStartNs = 400 * kFaultNs;
  MapPolicy policy({0}, {4 * kGiB});
  uint64_t invested = 0, preads = 0;
  for (uint64_t block = 1; block < 60000; block += 2) {  // every other one, so that nothing looks sequential
    for (int i = 0; i < 2; i++) {
      const Path path = policy.Choose({block * 64 * kKiB}, kRequest, 0);
      invested += path == Path::kInvest;
      preads += path == Path::kPread;
    }
  }
  const int64_t earned = static_cast<int64_t>(preads) * (700 + kRequest / 16) / 8;
  CHECK(invested > 400);
  CHECK(static_cast<int64_t>(invested) * kFaultNs <= kStartNs + earned);
  CHECK(invested < preads / 10);
}

TEST_CASE("an account that is empty pays for nothing, until it has earned it") {
  MapPolicy policy({0}, {64 * kMiB});
  while (policy.Spend(10'000, 0)) {
  }
  CHECK_FALSE(policy.Spend(10'000, 0));
  CHECK(policy.Spend(10'000, 1));  // another lane's account is full
  int earned = 0;
  while (!policy.Spend(10'000, 0) && earned < 100000) {
    policy.Earn(kRequest, 0);
    earned++;
  }
  CHECK(earned > 0);
  CHECK(earned < 100000);
}

TEST_CASE("blocks grow with the device, and a range may begin anywhere") {
  CHECK(MapPolicy({0}, {64 * kGiB}).block_size() == 64 * kKiB);
  CHECK(MapPolicy({0}, {64 * kGiB + 1}).block_size() == 128 * kKiB);
  MapPolicy huge({512}, {kMaxSafeInteger});
  CHECK(huge.Choose({kMaxSafeInteger - 1}, 1, 0) == Path::kPread);
  CHECK(huge.Choose({512}, kRequest, 0) == Path::kPread);
  MapPolicy policy({100 * kMiB + 512}, {101 * kMiB});
  CHECK(policy.RoomFrom({100 * kMiB + 512}) == 64 * kKiB - 512);
  CHECK(policy.RoomFrom({100 * kMiB + 64 * kKiB}) == 64 * kKiB);
  CHECK(policy.Choose({101 * kMiB - 1}, 1, 0) == Path::kPread);
}

}  // namespace
}  // namespace blk
