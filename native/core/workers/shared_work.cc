#include "core/workers/shared_work.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "core/base/no_memory.h"
#include "core/base/sync.h"

namespace blk {
namespace {

// How long the thread that waits for the last steps of helpers spins before it sleeps: a step takes less.
constexpr std::chrono::microseconds kSpin{50};

}  // namespace

// Kept by the thread that waits and by helpers, which may come when it is over. `owner` is only used for a step that
// was claimed, and the thread that waits waits for each of those.
class SharedWork::Loop {
 public:
  Loop(size_t count, Call call, void* owner) : count_(count), end_(count), call_(call), owner_(owner) {}

  // Claims and runs steps until all are claimed.
  void Join(Lane lane) {
    for (size_t i = next_.fetch_add(1, std::memory_order_relaxed); i < count_;
         i = next_.fetch_add(1, std::memory_order_relaxed)) {
      if (i < end_.load(std::memory_order_relaxed) && !call_(owner_, i, lane)) EndAt(i);
      // Release: what the step has written is seen by the thread that waits.
      if (over_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) over_.notify_one();
    }
  }

  // REQUIRES: Join() has returned on this thread, so that all steps are claimed.
  void AwaitAll() {
    const auto all_over = [this] { return over_.load(std::memory_order_acquire) == count_; };
    if (all_over() || SpinUntil(kSpin, all_over)) return;
    for (size_t seen = over_.load(std::memory_order_acquire); seen != count_;
         seen = over_.load(std::memory_order_acquire)) {
      over_.wait(seen, std::memory_order_acquire);
    }
  }

 private:
  void EndAt(size_t i) {
    size_t end = end_.load(std::memory_order_relaxed);
    while (i < end && !end_.compare_exchange_weak(end, i, std::memory_order_relaxed)) {
    }
  }

  const size_t count_;
  std::atomic<size_t> next_{0};  // the step to be claimed next; at count_ and above all are
  std::atomic<size_t> over_{0};  // steps that were run, or left out
  std::atomic<size_t> end_;      // where steps are left out from
  const Call call_;
  void* const owner_;
};

class SharedWork::Help final : public IoTask {
 public:
  explicit Help(std::shared_ptr<Loop> loop) : loop_(std::move(loop)) {}
  void Run(std::unique_ptr<IoTask>, IoWorker& worker) override { loop_->Join(worker.lane()); }

 private:
  const std::shared_ptr<Loop> loop_;
};

void SharedWork::RunLoop(size_t count, size_t helpers, Lane lane, Call call, void* owner) {
  static const size_t others = std::max(std::thread::hardware_concurrency(), 1u) - 1;
  if (count == 0) return;
  const size_t wanted = std::min({helpers, others, count - 1});
  std::shared_ptr<Loop> loop;
  const bool shared = wanted > 0 && HadMemory([&] { loop = std::make_shared<Loop>(count, call, owner); });
  if (!shared) {
    for (size_t i = 0; i < count && call(owner, i, lane); i++) {
    }
    return;
  }
  for (size_t i = 0; i < wanted; i++) {
    std::unique_ptr<IoTask> help;
    // Without it this thread does more by itself, no less is done.
    if (!HadMemory([&] { help = std::make_unique<Help>(loop); })) break;
    if (queue_.TryPut(flow_, help) != IoQueue::Outcome::kQueued) break;
  }
  loop->Join(lane);
  loop->AwaitAll();
}

}  // namespace blk
