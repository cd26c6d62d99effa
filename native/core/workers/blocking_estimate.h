// BlockingEstimate: which of the tasks that may block are assumed to, by what the ones before them did. It costs as
// much to bring in another worker as to run a short task, and to wait behind a task that blocks costs more than both.
// Thread-safe, without locks: several threads may record at once, and a record that gets lost changes nothing that
// matters, since the estimate is a guess.
#ifndef RUMPBLK_CORE_WORKERS_BLOCKING_ESTIMATE_H_
#define RUMPBLK_CORE_WORKERS_BLOCKING_ESTIMATE_H_

#include <atomic>
#include <chrono>

namespace blk {

class BlockingEstimate {
 public:
  // A MayBlock() task that runs longer than kShort counts as one that blocked; the next kBlockingTasks of them are then
  // assumed to block.
  static constexpr std::chrono::microseconds kShort{30};
  static constexpr unsigned kBlockingTasks = 64;

  BlockingEstimate() = default;
  BlockingEstimate(const BlockingEstimate&) = delete;
  BlockingEstimate& operator=(const BlockingEstimate&) = delete;

  // Whether the next task that may block is assumed to. Relaxed: the worst that a stale answer costs is one thread
  // woken, or the patience of a StallWatch.
  bool AssumesBlocking() const { return assumed_.load(std::memory_order_relaxed) > 0; }

  // A task that might have blocked has ended, `took` after it said so.
  void Record(std::chrono::nanoseconds took) {
    const unsigned assumed = assumed_.load(std::memory_order_relaxed);
    if (took > kShort) {
      assumed_.store(kBlockingTasks, std::memory_order_relaxed);
    } else if (assumed > 0) {
      assumed_.store(assumed - 1, std::memory_order_relaxed);
    }
  }

 private:
  std::atomic<unsigned> assumed_{0};  // so many of the next ones
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_BLOCKING_ESTIMATE_H_
