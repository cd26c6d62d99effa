// MapPolicy: when AutoStrategy copies from the map, and that it never invests more than it may.
#include "core/access/map_policy.h"

#include <cstdint>

#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using Path = MapPolicy::Path;
using test::kGiB;
using test::kKiB;
using test::kMiB;

constexpr size_t kRequest = 4096;
constexpr int64_t kPreadNs = 600, kTouchNs = 1500;

// Chooses, and does what AutoStrategy does when it is told to invest.
Path Read(MapPolicy& policy, uint64_t at, size_t size = kRequest, Lane lane = 0, int64_t touch_ns = kTouchNs) {
  const Path path = policy.Choose({at}, size, lane);
  if (path == Path::kInvest || path == Path::kContinue) policy.Invested({at}, kPreadNs, touch_ns, lane);
  return path;
}

TEST_CASE("a block is read by pread, then mapped when it is met again, then copied for good") {
  MapPolicy policy({0}, {64 * kMiB});
  const uint64_t at = 5 * kMiB;
  CHECK(Read(policy, at) == Path::kPread);
  CHECK(Read(policy, at + 20 * kKiB) == Path::kInvest);  // the same block of 64 KiB
  for (int i = 0; i < 3; i++) CHECK(Read(policy, at + 40 * kKiB) == Path::kCopy);
  CHECK(Read(policy, at + 64 * kKiB) == Path::kPread);  // the next one is not
}

TEST_CASE("a block that was not mapped after all stays pread's") {
  MapPolicy policy({0}, {64 * kMiB});
  CHECK(policy.Choose({5 * kMiB}, kRequest, 0) == Path::kPread);
  for (int i = 0; i < 3; i++) CHECK(policy.Choose({5 * kMiB}, kRequest, 0) == Path::kInvest);
}

TEST_CASE("a sequential reader of small requests is mapped at once, one of large requests is not") {
  MapPolicy small({0}, {64 * kMiB});
  CHECK(Read(small, 8 * kMiB) == Path::kPread);
  CHECK(Read(small, 8 * kMiB + kRequest) == Path::kContinue);
  MapPolicy large({0}, {64 * kMiB});
  CHECK(Read(large, 8 * kMiB, 64 * kKiB) == Path::kPread);
  CHECK(Read(large, 8 * kMiB + 64 * kKiB, 64 * kKiB) == Path::kPread);
}

TEST_CASE("every lane has a memory of its own for where it would go on") {
  MapPolicy policy({0}, {64 * kMiB});
  CHECK(Read(policy, 8 * kMiB, 64 * kKiB, 1) == Path::kPread);
  CHECK(Read(policy, 8 * kMiB + 64 * kKiB, kRequest, 2) == Path::kPread);
  CHECK(Read(policy, 20 * kMiB, 64 * kKiB, 3) == Path::kPread);
  CHECK(Read(policy, 20 * kMiB + 64 * kKiB, kRequest, 3) == Path::kContinue);
}

TEST_CASE("blocks that are forgotten start again") {
  MapPolicy policy({0}, {64 * kMiB});
  const uint64_t at = 5 * kMiB;
  for (int i = 0; i < 2; i++) {
    Read(policy, at);
    Read(policy, at + kMiB);
  }
  REQUIRE(Read(policy, at) == Path::kCopy);
  REQUIRE(Read(policy, at + kMiB) == Path::kCopy);
  policy.Forget({at}, {at + 64 * kKiB});
  CHECK(Read(policy, at) == Path::kPread);
  CHECK(Read(policy, at + kMiB) == Path::kCopy);
}

// Every block twice, and twice only: the worst case, in which no investment pays.
TEST_CASE("what is invested stays within what is on account, whatever the pattern and the price") {
  constexpr int64_t kStartNs = 500'000, kShare = 20;
  for (const int64_t price : {int64_t{300}, kTouchNs, int64_t{8000}}) {
    MapPolicy policy({0}, {4 * kGiB});
    int64_t invested = 0, preads = 0;
    for (uint64_t block = 1; block < 60000; block += 2) {  // every other one, so that nothing looks sequential
      for (int i = 0; i < 2; i++) {
        const Path path = Read(policy, block * 64 * kKiB, kRequest, 0, price);
        REQUIRE(path != Path::kCopy);
        invested += path == Path::kInvest;
        preads++;
      }
    }
    INFO("price " << price);
    CHECK(invested * price <= kStartNs + preads * kPreadNs / kShare + 8000);
    CHECK(invested * price >= kStartNs / 2);
  }
}

TEST_CASE("what takes long was interrupted: it is not all charged, and is no price of what comes") {
  MapPolicy policy({0}, {64 * kMiB});
  Read(policy, 8 * kMiB);
  CHECK(Read(policy, 8 * kMiB, kRequest, 0, 1'000'000'000) == Path::kInvest);
  Read(policy, kMiB);
  CHECK(Read(policy, kMiB) == Path::kInvest);
}

TEST_CASE("an account that is empty pays for nothing, until it has earned it") {
  MapPolicy policy({0}, {64 * kMiB});
  while (policy.Affords(10'000, 0)) policy.Spend(10'000, 0);
  CHECK(policy.Affords(10'000, 1));  // another lane's account is full
  int earned = 0;
  while (!policy.Affords(10'000, 0) && earned < 100000) {
    policy.Earn(0);
    earned++;
  }
  CHECK(earned > 0);
  CHECK(earned < 100000);
}

// Tells after so many copies as it asks for. -> whether the block was still warm then.
bool TellAfterCopies(MapPolicy& policy, uint64_t at, uint64_t faults) {
  while (!policy.WantsFaults(0)) {
  }
  policy.TellFaults(faults, 0);
  return Read(policy, at) == Path::kCopy;
}

TEST_CASE("a thread that has waited for pages forgets what was warm, all of it, and maps it again") {
  MapPolicy policy({0}, {64 * kMiB});
  for (const uint64_t at : {4 * kMiB, 8 * kMiB}) {
    Read(policy, at);
    REQUIRE(Read(policy, at) == Path::kInvest);
  }
  CHECK(TellAfterCopies(policy, 4 * kMiB, 7));  // whatever came before it read here
  CHECK(TellAfterCopies(policy, 4 * kMiB, 7));
  CHECK_FALSE(TellAfterCopies(policy, 4 * kMiB, 8));
  CHECK(Read(policy, 8 * kMiB) == Path::kInvest);
  CHECK(Read(policy, 8 * kMiB) == Path::kCopy);
  CHECK(TellAfterCopies(policy, 4 * kMiB, 8));
  CHECK_FALSE(policy.WantsFaults(kSharedLane));
}

TEST_CASE("a range may begin anywhere and be of any size") {
  MapPolicy policy({100 * kMiB + 512}, {101 * kMiB});
  CHECK(MapPolicy::RoomFrom({100 * kMiB + 512}) == 64 * kKiB - 512);
  CHECK(MapPolicy::RoomFrom({100 * kMiB + 64 * kKiB}) == 64 * kKiB);
  CHECK(Read(policy, 101 * kMiB - 1, 1) == Path::kPread);
  MapPolicy huge({512}, {kMaxSafeInteger});
  CHECK(Read(huge, kMaxSafeInteger - 1, 1) == Path::kPread);
  CHECK(Read(huge, 512) == Path::kPread);
}

TEST_CASE("blocks of a large device share words: the one that is read takes it, and none is taken for another") {
  constexpr uint64_t kApart = 64 * kGiB;  // as many blocks as there are words
  MapPolicy policy({0}, {16 * kApart});
  Read(policy, kMiB);
  Read(policy, kMiB);
  REQUIRE(Read(policy, kMiB) == Path::kCopy);
  for (uint64_t i = 1; i < 16; i++) {
    CHECK(Read(policy, kMiB + i * kApart) == Path::kPread);
    CHECK(Read(policy, kMiB + i * kApart) == Path::kInvest);
    CHECK(Read(policy, kMiB + i * kApart) == Path::kCopy);
  }
  CHECK(Read(policy, kMiB) == Path::kPread);
}

}  // namespace
}  // namespace blk
