// Task: an IoTask that runs a function, and counts when it is run and when it is gone.
#ifndef RUMPBLK_TEST_SUPPORT_IO_TASK_H_
#define RUMPBLK_TEST_SUPPORT_IO_TASK_H_

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "core/workers/io_queue.h"

namespace blk::test {

struct Counts {
  std::atomic<int> run{0};
  std::atomic<int> gone{0};
};
class Task final : public IoTask {
 public:
  Task(Counts& counts, std::function<void(IoWorker&)> body) : counts_(counts), body_(std::move(body)) {}
  ~Task() override { counts_.gone++; }
  void Run(std::unique_ptr<IoTask> self, IoWorker& worker) override {
    body_(worker);
    counts_.run++;
    self.reset();
  }

 private:
  Counts& counts_;
  std::function<void(IoWorker&)> body_;
};

inline std::unique_ptr<IoTask> Make(
    Counts& counts, std::function<void(IoWorker&)> body = [](IoWorker&) {}) {
  return std::make_unique<Task>(counts, std::move(body));
}
// Puts a task in, and waits for room if there is none.
inline IoQueue::Outcome Put(
    IoQueue& queue, IoFlow& flow, Counts& counts, std::function<void(IoWorker&)> body = [](IoWorker&) {}) {
  auto task = Make(counts, std::move(body));
  for (;;) {
    const auto outcome = queue.TryPut(flow, task);
    if (outcome != IoQueue::Outcome::kFull) return outcome;
    std::this_thread::yield();
  }
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_IO_TASK_H_
