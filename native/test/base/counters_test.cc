#include "core/base/counters.h"

#include "test/support/check.h"
#include "test/support/threads.h"

namespace blk {
namespace {

uint64_t Get(const Counters& counters, Counter counter) { return counters.Snapshot()[static_cast<size_t>(counter)]; }

TEST_CASE("B37: counts of eight threads are exact, in lanes of their own and in the shared one") {
  constexpr size_t kThreads = 8;
  constexpr uint64_t kEach = 50000;
  for (const bool shared : {false, true}) {
    Counters counters;
    test::RunTogether(kThreads, [&](size_t index) {
      const Lane lane = shared ? kSharedLane : static_cast<Lane>(index);
      for (uint64_t i = 0; i < kEach; i++) {
        counters.Add(Counter::kIoTotal, 1, lane);
        counters.Add(Counter::kBytesRead, 512, lane);
      }
    });
    CHECK(Get(counters, Counter::kIoTotal) == kThreads * kEach);
    CHECK(Get(counters, Counter::kBytesRead) == kThreads * kEach * 512);
  }
}

TEST_CASE("a count goes to the counter that it names and to no other") {
  Counters counters;
  for (size_t i = 0; i < kCounterCount; i++) counters.Add(static_cast<Counter>(i), i + 1, static_cast<Lane>(i));
  const Counters::Values values = counters.Snapshot();
  for (size_t i = 0; i < kCounterCount; i++) CHECK(values[i] == i + 1);
}

TEST_CASE("every lane is counted, the shared one too") {
  Counters counters;
  for (int lane = 0; lane <= kSharedLane; lane++) counters.Add(Counter::kFlushes, 1, static_cast<Lane>(lane));
  CHECK(Get(counters, Counter::kFlushes) == kSharedLane + 1);
}

TEST_CASE("a reset starts from zero; the total goes on") {
  Counters counters;
  counters.Add(Counter::kWindowHits, 5, 0);
  counters.Add(Counter::kWindowHits, 6, 3);
  counters.Reset();
  CHECK(Get(counters, Counter::kWindowHits) == 0);
  counters.Add(Counter::kWindowHits, 2, 3);
  CHECK(Get(counters, Counter::kWindowHits) == 2);
  CHECK(counters.Total(Counter::kWindowHits) == 13);
  counters.Reset();
  CHECK(Get(counters, Counter::kWindowHits) == 0);
}

TEST_CASE("a reset loses no add that runs at the same time") {
  constexpr uint64_t kEach = 100000;
  Counters counters;
  uint64_t seen = 0;
  test::RunTogether(3, [&](size_t index) {
    if (index != 2) {
      for (uint64_t i = 0; i < kEach; i++) counters.Add(Counter::kIoTotal, 1, kSharedLane);
      return;
    }
    for (int i = 0; i < 1000; i++) {
      seen = counters.Total(Counter::kIoTotal);
      counters.Reset();
    }
  });
  CHECK(counters.Total(Counter::kIoTotal) == 2 * kEach);
  CHECK(Get(counters, Counter::kIoTotal) <= 2 * kEach - seen);
}

}  // namespace
}  // namespace blk
