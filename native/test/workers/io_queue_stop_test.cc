// IoQueue: Stop(), and a host that has no threads to give.
#include "core/workers/io_queue.h"

#include <atomic>
#include <memory>
#include <vector>

#include "test/support/check.h"
#include "test/support/io_task.h"
#include "test/support/no_threads.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Counts;
using test::EventuallyTrue;
using test::Gate;
using test::Make;
using test::NoThreads;
using test::Put;
using Outcome = IoQueue::Outcome;

TEST_CASE("Stop lets the running task end, drops the others unrun, and joins") {
  test::Watchdog watchdog("stop");
  Gate gate;
  Counts counts;
  IoFlow flow;
  IoQueue queue(8, 1);
  CHECK(Put(queue, flow, counts, [&](IoWorker&) { gate.Wait(); }) == Outcome::kQueued);
  gate.AwaitArrivals(1);
  for (int i = 0; i < 5; i++) CHECK(Put(queue, flow, counts) == Outcome::kQueued);
  std::atomic<bool> stopped{false};
  std::thread stopper([&] {
    queue.Stop();
    stopped = true;
  });
  Counts late;
  CHECK(EventuallyTrue([&] {
    auto task = Make(late);
    return queue.TryPut(flow, task) == Outcome::kStopped;
  }));
  CHECK_FALSE(stopped);  // waits for the task that runs
  CHECK(queue.Holds());
  gate.Open();
  stopper.join();
  CHECK(counts.run == 1);
  CHECK(counts.gone == 6);
  CHECK(late.run == 0);
}

TEST_CASE("Stop drops what waits in every flow, in the order of their turns") {
  test::Watchdog watchdog("stop drops");
  Gate gate;
  Counts counts;
  IoFlow first, second;
  IoQueue queue(4, 1);
  CHECK(Put(queue, first, counts, [&](IoWorker&) { gate.Wait(); }) == Outcome::kQueued);
  gate.AwaitArrivals(1);
  std::vector<int> gone;
  for (const int i : {1, 2, 3}) {
    for (IoFlow* flow : {&first, &second}) {
      // Told by the end of what the body holds.
      const int name = flow == &first ? i : 10 + i;
      const auto told = std::shared_ptr<void>(nullptr, [&gone, name](void*) { gone.push_back(name); });
      CHECK(Put(queue, *flow, counts, [told](IoWorker&) {}) == Outcome::kQueued);
    }
  }
  std::thread stopper([&] { queue.Stop(); });
  Counts late;
  CHECK(EventuallyTrue([&] {
    auto task = Make(late);
    return queue.TryPut(second, task) == Outcome::kStopped;
  }));
  gate.Open();
  stopper.join();
  CHECK(counts.run == 1);
  CHECK(gone == std::vector<int>{1, 11, 2, 12, 3, 13});
}

// ---- no threads to be had

TEST_CASE("a queue that can start no thread says so and keeps nothing") {
  Counts counts;
  IoFlow flow;
  IoQueue queue(4, 2);
  auto task = Make(counts);
  {
    NoThreads none;
    CHECK(queue.TryPut(flow, task) == Outcome::kNoThreads);
    CHECK(queue.Holds());
  }
  CHECK(task != nullptr);
  CHECK(queue.TryPut(flow, task) == Outcome::kQueued);  // and recovers
  CHECK(EventuallyTrue([&] { return counts.gone == 1; }));
  CHECK(counts.run == 1);
}

TEST_CASE("a queue that can start no second thread is served by the first") {
  test::Watchdog watchdog("one thread");
  Gate gate;
  Counts counts;
  IoFlow flow;
  IoQueue queue(4, 2);
  CHECK(Put(queue, flow, counts, [&](IoWorker& worker) {
          worker.WillBlock();
          gate.Wait();
        }) == Outcome::kQueued);
  gate.AwaitArrivals(1);
  {
    NoThreads none;
    CHECK(Put(queue, flow, counts) == Outcome::kQueued);
    CHECK(queue.Holds());  // all are blocked, and no more can be had
  }
  gate.Open();
  CHECK(EventuallyTrue([&] { return counts.gone == 2; }));
}

}  // namespace
}  // namespace blk
