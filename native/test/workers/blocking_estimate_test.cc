#include "core/workers/blocking_estimate.h"

#include <chrono>

#include "test/support/check.h"
#include "test/support/threads.h"

namespace blk {
namespace {

constexpr auto kShort = BlockingEstimate::kShort;
constexpr auto kLong = BlockingEstimate::kShort + std::chrono::nanoseconds(1);

// How many short tasks in a row are assumed to block.
unsigned Assumed(BlockingEstimate& estimate) {
  unsigned tasks = 0;
  for (; estimate.AssumesBlocking(); tasks++) estimate.Record(kShort);
  return tasks;
}

TEST_CASE("no task is assumed to block before one has run for long") {
  BlockingEstimate estimate;
  CHECK_FALSE(estimate.AssumesBlocking());
  estimate.Record(kShort);
  CHECK_FALSE(estimate.AssumesBlocking());
}

TEST_CASE("behind one that has run for long, so many are assumed to block") {
  BlockingEstimate estimate;
  estimate.Record(kLong);
  CHECK(Assumed(estimate) == BlockingEstimate::kBlockingTasks);
  estimate.Record(kShort);
  CHECK_FALSE(estimate.AssumesBlocking());
}

TEST_CASE("each one that runs for long begins the count anew, and adds nothing") {
  BlockingEstimate estimate;
  estimate.Record(kLong);
  for (int i = 0; i < 10; i++) estimate.Record(kShort);
  estimate.Record(kLong);
  estimate.Record(kLong);
  CHECK(Assumed(estimate) == BlockingEstimate::kBlockingTasks);
}

TEST_CASE("threads record and ask at once, and the count stays within its bounds") {
  test::Watchdog watchdog("blocking estimate");
  BlockingEstimate estimate;
  test::RunTogether(4, [&](size_t index) {
    for (int i = 0; i < 20000; i++) {
      static_cast<void>(estimate.AssumesBlocking());
      estimate.Record(index == 0 && i % 16 == 0 ? kLong : std::chrono::nanoseconds(kShort));
    }
  });
  CHECK(Assumed(estimate) <= BlockingEstimate::kBlockingTasks);
}

}  // namespace
}  // namespace blk
