// IoQueue: Stop(), and a host that has no threads to give.
#include "core/io/io_queue.h"

#include <doctest/doctest.h>
#include <pthread.h>

#include <atomic>

#include "test/support/io_task.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Counts;
using test::EventuallyTrue;
using test::Gate;
using test::Make;
using test::Put;
using Outcome = IoQueue::Outcome;

TEST_CASE("Stop lets the running task end, drops the others unrun, and joins") {
  test::Watchdog watchdog("stop");
  Gate gate;
  Counts counts;
  IoQueue queue(8, 1);
  CHECK(Put(queue, counts, [&](IoWorker&) { gate.Wait(); }) == Outcome::kQueued);
  gate.AwaitArrivals(1);
  for (int i = 0; i < 5; i++) CHECK(Put(queue, counts) == Outcome::kQueued);
  std::atomic<bool> stopped{false};
  std::thread stopper([&] {
    queue.Stop();
    stopped = true;
  });
  Counts late;
  CHECK(EventuallyTrue([&] {
    auto task = Make(late);
    return queue.TryPut(task) == Outcome::kStopped;
  }));
  CHECK_FALSE(stopped);  // waits for the task that runs
  gate.Open();
  stopper.join();
  CHECK(counts.run == 1);
  CHECK(counts.gone == 6);
  CHECK(late.run == 0);
}

TEST_CASE("Stop wakes those who wait in Put") {
  test::Watchdog watchdog("stop wakes");
  Gate gate;
  Counts counts;
  std::atomic<int> refused{0};
  IoQueue queue(1, 1);
  CHECK(Put(queue, counts, [&](IoWorker&) { gate.Wait(); }) == Outcome::kQueued);
  gate.AwaitArrivals(1);
  CHECK(Put(queue, counts) == Outcome::kQueued);
  std::vector<std::thread> putters;
  for (int i = 0; i < 3; i++) {
    putters.emplace_back([&] {
      auto task = Make(counts);
      refused += queue.Put(task) == Outcome::kStopped && task != nullptr;
    });
  }
  std::thread stopper([&] { queue.Stop(); });
  for (std::thread& putter : putters) putter.join();  // they return although the worker is still busy
  CHECK(refused == 3);
  gate.Open();
  stopper.join();
  CHECK(counts.run == 1);
}

// ---- no threads to be had

// While it lives, no thread can be created: their stack would not fit the address space.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, size_t{1} << 50);
    pthread_setattr_default_np(&huge);
  }
  ~NoThreads() { pthread_setattr_default_np(&before_); }

 private:
  pthread_attr_t before_;
};

TEST_CASE("a queue that can start no thread says so and keeps nothing") {
  Counts counts;
  IoQueue queue(4, 2);
  auto task = Make(counts);
  {
    NoThreads none;
    CHECK(queue.TryPut(task) == Outcome::kNoThreads);
    CHECK(queue.Put(task) == Outcome::kNoThreads);
  }
  CHECK(task != nullptr);
  CHECK(queue.TryPut(task) == Outcome::kQueued);  // and recovers
  CHECK(EventuallyTrue([&] { return counts.gone == 1; }));
  CHECK(counts.run == 1);
}

TEST_CASE("a queue that can start no second thread is served by the first") {
  test::Watchdog watchdog("one thread");
  Gate gate;
  Counts counts;
  IoQueue queue(4, 2);
  CHECK(Put(queue, counts, [&](IoWorker& worker) {
          worker.WillBlock();
          gate.Wait();
        }) == Outcome::kQueued);
  gate.AwaitArrivals(1);
  {
    NoThreads none;
    CHECK(Put(queue, counts) == Outcome::kQueued);
  }
  gate.Open();
  CHECK(EventuallyTrue([&] { return counts.gone == 2; }));
}

}  // namespace
}  // namespace blk
