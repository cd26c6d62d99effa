// IoQueue: order, room, and which worker serves what. Its end is in io_queue_stop_test.cc.
#include "core/workers/io_queue.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "test/support/check.h"
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

TEST_CASE("a queue that is never used starts no thread and stops at once") {
  IoFlow flow;
  IoQueue queue(4, 2);
  queue.Stop();
  queue.Stop();
  Counts counts;
  auto task = Make(counts);
  CHECK(queue.TryPut(flow, task) == Outcome::kStopped);
}

TEST_CASE("with one worker, tasks begin in the order they were put in") {
  test::Watchdog watchdog("order");
  constexpr int kTasks = 200;
  std::vector<int> order;  // written by the one worker
  Counts counts;
  IoFlow flow;
  IoQueue queue(16, 1);
  for (int i = 0; i < kTasks; i++) {
    CHECK(Put(queue, flow, counts, [&order, i](IoWorker&) { order.push_back(i); }) == Outcome::kQueued);
  }
  CHECK(EventuallyTrue([&] { return counts.gone == kTasks; }));
  queue.Stop();
  REQUIRE(order.size() == kTasks);
  for (int i = 0; i < kTasks; i++) REQUIRE(order[static_cast<size_t>(i)] == i);
}

TEST_CASE("TryPut gives a full flow's task back, and takes it when there is room again") {
  test::Watchdog watchdog("full");
  Gate gate;
  Counts counts;
  IoFlow flow;
  IoQueue queue(3, 1);
  CHECK(Put(queue, flow, counts, [&](IoWorker&) { gate.Wait(); }) == Outcome::kQueued);
  gate.AwaitArrivals(1);  // it waits no more
  for (int i = 0; i < 3; i++) CHECK(Put(queue, flow, counts) == Outcome::kQueued);
  auto task = Make(counts);
  CHECK(queue.TryPut(flow, task) == Outcome::kFull);
  CHECK(queue.Holds());
  CHECK(task != nullptr);
  gate.Open();
  CHECK(EventuallyTrue([&] { return counts.run == 4; }));
  CHECK(queue.TryPut(flow, task) == Outcome::kQueued);
  CHECK(task == nullptr);
  CHECK(EventuallyTrue([&] { return counts.gone == 5; }));
}

TEST_CASE("flows take turns: one with many tasks holds up another one by one of them at most") {
  test::Watchdog watchdog("turns");
  Gate gate;
  std::vector<std::string> order;  // written by the one worker
  Counts counts;
  IoFlow many, few, late;
  IoQueue queue(200, 1);
  const auto put = [&](IoFlow& flow, const std::string& name) {
    CHECK(Put(queue, flow, counts, [&order, name](IoWorker&) { order.push_back(name); }) == Outcome::kQueued);
  };
  CHECK(Put(queue, many, counts, [&](IoWorker&) { gate.Wait(); }) == Outcome::kQueued);
  gate.AwaitArrivals(1);
  for (int i = 0; i < 100; i++) put(many, "m" + std::to_string(i));
  for (int i = 0; i < 3; i++) put(few, "f" + std::to_string(i));
  put(late, "l0");
  gate.Open();
  CHECK(EventuallyTrue([&] { return counts.gone == 105; }));
  put(few, "f3");  // a flow that has run dry comes again
  CHECK(EventuallyTrue([&] { return counts.gone == 106; }));
  queue.Stop();
  order.resize(8);
  CHECK(order == std::vector<std::string>{"m0", "f0", "l0", "m1", "f1", "m2", "f2", "m3"});
}

TEST_CASE("a full flow leaves room in the others") {
  test::Watchdog watchdog("room");
  Gate gate;
  Counts counts;
  IoFlow full, other;
  IoQueue queue(2, 1);
  CHECK(Put(queue, full, counts, [&](IoWorker&) { gate.Wait(); }) == Outcome::kQueued);
  gate.AwaitArrivals(1);
  for (int i = 0; i < 2; i++) CHECK(Put(queue, full, counts) == Outcome::kQueued);
  auto task = Make(counts);
  CHECK(queue.TryPut(full, task) == Outcome::kFull);
  CHECK(queue.TryPut(other, task) == Outcome::kQueued);
  gate.Open();
  CHECK(EventuallyTrue([&] { return counts.gone == 4; }));
}

TEST_CASE("tasks that say they will wait run at once, each in a lane of its own, up to the limit") {
  test::Watchdog watchdog("workers");
  constexpr size_t kWorkers = 3;
  Gate gate;
  Counts counts;
  std::mutex mu;
  std::set<int> lanes;
  IoFlow flow;
  const auto leases = std::make_shared<Lanes>();
  IoQueue queue(16, kWorkers, IoQueue::kPatience, leases);
  for (size_t i = 0; i < 6; i++) {
    const Outcome outcome = Put(queue, flow, counts, [&](IoWorker& worker) {
      {
        std::lock_guard lock(mu);
        lanes.insert(worker.lane());
      }
      worker.WillBlock();
      worker.WillBlock();  // once is enough
      gate.Wait();
    });
    CHECK(outcome == Outcome::kQueued);
  }
  gate.AwaitArrivals(kWorkers);  // all workers hold a task at the same time
  CHECK(queue.Holds());          // though tasks wait: all are blocked, and the limit is reached
  {
    std::lock_guard lock(mu);
    CHECK(lanes == std::set<int>{0, 1, 2});
  }
  gate.Open();
  CHECK(EventuallyTrue([&] { return counts.gone == 6; }));
  CHECK(lanes.size() == kWorkers);
}

TEST_CASE("a task that waits in the queue behind one that says it will wait is not held up") {
  test::Watchdog watchdog("will block");
  Gate says, ends;
  Counts counts;
  IoFlow flow;
  IoQueue queue(16, 2);
  CHECK(Put(queue, flow, counts, [&](IoWorker& worker) {
          says.Wait();
          worker.WillBlock();
          CHECK(queue.Holds());
          ends.Wait();
        }) == Outcome::kQueued);
  says.AwaitArrivals(1);
  CHECK(Put(queue, flow, counts) == Outcome::kQueued);
  CHECK(counts.run == 0);
  CHECK(queue.Holds());  // one worker watches
  says.Open();
  CHECK(EventuallyTrue([&] { return counts.run == 1; }));
  CHECK(Put(queue, flow, counts) == Outcome::kQueued);  // and neither is one that comes later
  CHECK(EventuallyTrue([&] { return counts.run == 2; }));
  ends.Open();
  CHECK(EventuallyTrue([&] { return counts.gone == 3; }));
}

TEST_CASE("nothing is held up for long by a task that waits without having said so, or said only that it may") {
  test::Watchdog watchdog("stuck");
  for (const bool says : {false, true}) {
    constexpr int kStuck = 3;
    Gate gate;
    Counts counts;
    IoFlow flow;
    IoQueue queue(16, kStuck + 1);
    for (int i = 0; i < kStuck; i++) {
      CHECK(Put(queue, flow, counts, [&](IoWorker& worker) {
              if (says) worker.MayBlock();
              gate.Wait();
            }) == Outcome::kQueued);
    }
    CHECK(Put(queue, flow, counts) == Outcome::kQueued);
    CHECK(EventuallyTrue([&] { return counts.run == 1; }));
    CHECK(Put(queue, flow, counts) == Outcome::kQueued);  // and neither is one that comes later
    CHECK(EventuallyTrue([&] { return counts.run == 2; }));
    CHECK(queue.Holds());
    gate.Open();
    CHECK(EventuallyTrue([&] { return counts.gone == kStuck + 2; }));
  }
}

TEST_CASE("a task that waits without having said so holds up nothing, though another one has said that it waits") {
  test::Watchdog watchdog("watch");
  // Over and over, for which worker wakes up first is the host's choice.
  for (int round = 0; round < 20; round++) {
    Gate gate;
    Counts counts;
    IoFlow flow;
    IoQueue queue(16, 3);
    CHECK(Put(queue, flow, counts, [&](IoWorker& worker) {
            worker.WillBlock();
            gate.Wait();
          }) == Outcome::kQueued);
    CHECK(Put(queue, flow, counts, [&](IoWorker&) { gate.Wait(); }) == Outcome::kQueued);
    gate.AwaitArrivals(2);
    CHECK(Put(queue, flow, counts) == Outcome::kQueued);
    CHECK(queue.Holds());
    REQUIRE(EventuallyTrue([&] { return counts.run == 1; }));
    gate.Open();
    CHECK(EventuallyTrue([&] { return counts.gone == 3; }));
  }
}

TEST_CASE("tasks that may wait bring in others when those before them have taken long") {
  test::Watchdog watchdog("may block");
  Gate first, second;
  Counts counts;
  IoFlow flow;
  IoQueue queue(16, 3);
  CHECK(Put(queue, flow, counts, [&](IoWorker& worker) {
          worker.MayBlock();
          first.Wait();
        }) == Outcome::kQueued);
  first.AwaitArrivals(1);
  first.Open();
  CHECK(EventuallyTrue([&] { return counts.gone == 1; }));
  for (int i = 0; i < 3; i++) {
    CHECK(Put(queue, flow, counts, [&](IoWorker& worker) {
            worker.MayBlock();
            second.Wait();
          }) == Outcome::kQueued);
  }
  second.AwaitArrivals(3);
  second.Open();
  CHECK(EventuallyTrue([&] { return counts.gone == 4; }));
}

TEST_CASE("one worker at a time serves tasks that do not wait") {
  test::Watchdog watchdog("short tasks");
  Counts counts;
  std::atomic<int> at_work{0}, most{0};
  // Nobody ever loses patience with one that is at work, however little of a processor it gets.
  IoFlow flow;
  IoQueue queue(4, 8, std::chrono::minutes(10));
  for (int i = 0; i < 500; i++) {
    CHECK(Put(queue, flow, counts, [&](IoWorker&) {
            most = std::max<int>(most, ++at_work);
            std::this_thread::yield();
            at_work--;
          }) == Outcome::kQueued);
  }
  CHECK(EventuallyTrue([&] { return counts.gone == 500; }));
  CHECK(most == 1);
}

TEST_CASE("workers that are idle serve the next tasks, whichever of them has just waited") {
  test::Watchdog watchdog("idle");
  Counts counts;
  std::mutex mu;
  std::set<int> lanes;
  IoFlow flow;
  const auto leases = std::make_shared<Lanes>();
  IoQueue queue(4, 2, IoQueue::kPatience, leases);
  for (int i = 1; i <= 300; i++) {
    CHECK(Put(queue, flow, counts, [&, i](IoWorker& worker) {
            if (i % 2 == 0) worker.WillBlock();
            CHECK(queue.Holds());
            std::lock_guard lock(mu);
            lanes.insert(worker.lane());
          }) == Outcome::kQueued);
    if (i % 3 == 0) CHECK(EventuallyTrue([&] { return counts.gone == i; }));
  }
  CHECK(EventuallyTrue([&] { return counts.gone == 300; }));
  queue.Stop();
  CHECK(lanes.size() <= 2);
  CHECK(lanes.count(kSharedLane) == 0);
}

}  // namespace
}  // namespace blk
