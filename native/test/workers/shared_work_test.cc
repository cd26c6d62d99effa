// SharedWork: every step once, on whichever thread; nothing runs when it returns; helpers that do not come are no loss.
#include "core/workers/shared_work.h"

#include <array>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "test/support/check.h"
#include "test/support/io_task.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Counts;
using test::EventuallyTrue;
using test::Gate;
using test::Put;

constexpr size_t kSteps = 64;

TEST_CASE("shared work: each step is run once, and all of them are over on return") {
  test::Watchdog watchdog("each step once");
  std::optional<IoQueue> queue;
  SharedWork work(queue.emplace(16, 2));
  for (int round = 0; round < 2000; round++) {
    // Plain ints: a step that ran on after Run() would be a race, which TSan sees.
    std::array<int, kSteps> times{};
    work.Run(kSteps, 3, kSharedLane, [&](size_t i, Lane) {
      times[i]++;
      return true;
    });
    for (const int n : times) REQUIRE(n == 1);
  }
  queue.reset();
}

TEST_CASE("shared work: a worker helps") {
  if (std::thread::hardware_concurrency() == 1) SKIP("one processor: nobody is asked for help");
  test::Watchdog watchdog("a worker helps");
  std::optional<IoQueue> queue;
  SharedWork work(queue.emplace(16, 2));
  const std::thread::id self = std::this_thread::get_id();
  std::atomic<bool> helped{false};
  // The first steps of this thread wait until another one has had a step, which has to come.
  work.Run(kSteps, 1, kSharedLane, [&](size_t, Lane) {
    if (std::this_thread::get_id() != self) helped = true;
    return EventuallyTrue([&] { return helped.load(); });
  });
  CHECK(helped);
  queue.reset();
}

TEST_CASE("shared work: while all workers are busy the thread does it alone") {
  test::Watchdog watchdog("alone");
  Gate gate;
  Counts counts;
  IoFlow flow;
  std::optional<IoQueue> queue;
  SharedWork work(queue.emplace(2, 1));
  CHECK(Put(*queue, flow, counts, [&](IoWorker&) { gate.Wait(); }) == IoQueue::Outcome::kQueued);
  gate.AwaitArrivals(1);
  // More rounds than the queue has room for offers of help.
  for (int round = 0; round < 8; round++) {
    size_t run = 0;
    work.Run(kSteps, 3, kSharedLane, [&](size_t, Lane) { return ++run > 0; });
    CHECK(run == kSteps);
  }
  gate.Open();
  queue.reset();
}

TEST_CASE("shared work: behind a step that answers false none begins, but for those that others had begun") {
  test::Watchdog watchdog("stops");
  std::optional<IoQueue> queue;
  SharedWork work(queue.emplace(16, 1));
  for (const size_t helpers : {size_t{0}, size_t{1}}) {
    for (int round = 0; round < 500; round++) {
      std::array<std::atomic<bool>, kSteps> ran{};
      work.Run(kSteps, helpers, kSharedLane, [&](size_t i, Lane) {
        ran[i] = true;
        return i != 5;
      });
      for (size_t i = 0; i <= 5; i++) REQUIRE(ran[i]);
      if (helpers == 0) REQUIRE_FALSE(ran[6]);
    }
  }
  queue.reset();
}

TEST_CASE("shared work: on a queue that has stopped, and of no steps") {
  std::optional<IoQueue> queue;
  SharedWork work(queue.emplace(16, 1));
  queue->Stop();
  size_t run = 0;
  const auto step = [&](size_t, Lane) { return ++run > 0; };
  work.Run(kSteps, 3, kSharedLane, step);
  CHECK(run == kSteps);
  work.Run(0, 3, kSharedLane, step);
  CHECK(run == kSteps);
  queue.reset();
}

}  // namespace
}  // namespace blk
