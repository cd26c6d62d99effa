// Many producers on one IoQueue, two to a flow: full flows, tasks that put tasks, and Stop in the middle of it. Every
// task is run or dropped, once, none is run after Stop() has returned, and the invariant of the workers holds at any
// time. Bounded; a watchdog turns a hang into a failure. Run under ThreadSanitizer too.
#include <atomic>
#include <cstdio>
#include <utility>
#include <vector>

#include "core/workers/io_queue.h"
#include "test/support/threads.h"

namespace blk::test {
namespace {

using Outcome = IoQueue::Outcome;

std::atomic<uint64_t> g_failures{0};

void Expect(bool ok, const char* what) {
  if (!ok && g_failures++ < 10) std::fprintf(stderr, "stress_queue: %s\n", what);
}

// Where tasks wait: more than one flow, fewer than producers.
struct Flows {
  IoFlow& Of(size_t index) { return each[index % 3]; }
  IoFlow each[3];
};

struct Books {
  std::atomic<uint64_t> made{0}, run{0}, gone{0};
  std::atomic<bool> stopped{false};
  // Written under no lock by whoever runs in that lane: two tasks in one lane at once are a race for TSan to see.
  uint64_t per_lane[256] = {};
};

class Task final : public IoTask {
 public:
  // `waits`: says that it will wait.
  Task(Books& books, IoQueue& queue, bool waits) : books_(books), queue_(queue), waits_(waits) { books_.made++; }
  // Puts another task into `flow` when it runs.
  Task(Books& books, IoQueue& queue, IoFlow& flow) : books_(books), queue_(queue), flow_(&flow) { books_.made++; }
  ~Task() override { books_.gone++; }
  void Run(std::unique_ptr<IoTask> self, IoWorker& worker) override {
    Expect(!books_.stopped, "a task ran after Stop() had returned");
    Expect(self.get() == this, "a task was given another one as itself");
    if (waits_) {
      if (books_.run % 2 == 0) {
        worker.WillBlock();
      } else {
        worker.MayBlock();
      }
      std::this_thread::yield();
    }
    // The worker that runs this, or has blocked in it, is among those counted.
    Expect(queue_.Holds(), "the invariant does not hold while a task runs");
    books_.per_lane[worker.lane()]++;
    books_.run++;
    if (flow_ == nullptr) return;
    std::unique_ptr<IoTask> next = std::make_unique<Task>(books_, queue_, false);
    static_cast<void>(queue_.TryPut(*flow_, next));  // what does not fit is dropped
  }

 private:
  Books& books_;
  IoQueue& queue_;
  IoFlow* flow_ = nullptr;
  const bool waits_ = false;
};

// Puts in as many of `tasks` as there is room for, oldest first.
void PutAll(IoQueue& queue, IoFlow& flow, IoTaskList& tasks) {
  while (!tasks.empty()) {
    std::unique_ptr<IoTask> task = tasks.PopFront();
    if (queue.TryPut(flow, task) == Outcome::kQueued) continue;
    return tasks.PushFront(std::move(task));
  }
}

// Producers run dry: every task that was queued is run.
void RunDry(size_t depth, size_t workers) {
  constexpr size_t kProducers = 6;
  constexpr uint64_t kEach = 1500;
  Books books;
  std::atomic<uint64_t> queued{0}, full{0};
  Flows flows;
  const auto lanes = std::make_shared<Lanes>();
  IoQueue queue(depth, workers, IoQueue::kPatience, lanes);
  RunTogether(kProducers, [&](size_t index) {
    IoFlow& flow = flows.Of(index);
    IoTaskList behind;  // what found no room, for half of the producers
    for (uint64_t i = 0; i < kEach; i++) {
      std::unique_ptr<IoTask> task = std::make_unique<Task>(books, queue, i % 3 == index % 3);
      if (index % 2 == 0) {
        behind.PushBack(std::move(task));
        PutAll(queue, flow, behind);
        queued++;
      } else if (queue.TryPut(flow, task) == Outcome::kQueued) {
        queued++;
      } else {
        full++;
        Expect(task != nullptr, "a full flow kept the task");
        Expect(queue.Holds(), "the invariant does not hold while a flow is full");
        std::this_thread::yield();
      }
    }
    while (!behind.empty()) {
      std::this_thread::yield();
      PutAll(queue, flow, behind);
    }
  });
  Expect(EventuallyTrue([&] { return books.run == queued && books.gone == books.made; }), "tasks were lost");
  queue.Stop();
  books.stopped = true;
  uint64_t in_lanes = 0;
  for (size_t lane = 0; lane < 256; lane++) {
    in_lanes += books.per_lane[lane];
    Expect(books.per_lane[lane] == 0 || lane < workers, "a lane that no worker has");
  }
  Expect(in_lanes == books.run, "two workers shared a lane");
  std::printf("depth %zu, %zu workers: %llu run, %llu refused\n", depth, workers,
              static_cast<unsigned long long>(books.run.load()), static_cast<unsigned long long>(full.load()));
}

// Stop comes while producers put: they are told, and what has not begun is dropped.
void StopRace(size_t depth, size_t workers) {
  constexpr size_t kProducers = 6;
  for (int round = 0; round < 30; round++) {
    Books books;
    std::atomic<uint64_t> refused{0};
    {
      Flows flows;
      const auto lanes = std::make_shared<Lanes>();
      IoQueue queue(depth, workers, IoQueue::kPatience, lanes);
      RunTogether(kProducers + 2, [&](size_t index) {
        if (index >= kProducers) {  // two of them, to stop at once
          while (books.run < 20 && !books.stopped) std::this_thread::yield();
          queue.Stop();
          return;
        }
        for (;;) {
          IoFlow& flow = flows.Of(index);
          std::unique_ptr<IoTask> task = index == 0 ? std::make_unique<Task>(books, queue, flow)
                                                    : std::make_unique<Task>(books, queue, index == 1);
          const Outcome outcome = queue.TryPut(flow, task);
          if (outcome == Outcome::kStopped) break;
          Expect(outcome == Outcome::kQueued || outcome == Outcome::kFull, "an outcome that cannot be");
          Expect(queue.Holds(), "the invariant does not hold while the queue stops");
        }
        refused++;
      });
      books.stopped = true;
      Expect(refused == kProducers, "a producer was not let go");
      std::unique_ptr<IoTask> late = std::make_unique<Task>(books, queue, false);
      Expect(queue.TryPut(flows.each[0], late) == Outcome::kStopped, "a stopped queue took a task");
    }
    Expect(books.gone == books.made, "a task was not destroyed");
    Expect(books.run <= books.made, "a task ran twice");
  }
}

int Main() {
  Watchdog watchdog("stress_queue", 240);
  for (const size_t depth : {1, 4, 1024}) {
    for (const size_t workers : {1, 4}) {
      RunDry(depth, workers);
      StopRace(depth, workers);
    }
  }
  return g_failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace blk::test

int main() { return blk::test::Main(); }
