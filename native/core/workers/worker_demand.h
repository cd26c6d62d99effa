// WorkerDemand: how many workers were busy at once lately, so that those beyond it can end. It counts in periods: what
// one needed, the next one keeps. Not thread-safe: the queue's lock guards it.
#ifndef RUMPBLK_CORE_WORKERS_WORKER_DEMAND_H_
#define RUMPBLK_CORE_WORKERS_WORKER_DEMAND_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

namespace blk {

class WorkerDemand {
 public:
  using Clock = std::chrono::steady_clock;

  explicit WorkerDemand(Clock::duration period) : period_(period) {}

  // So many are busy from here on.
  void Note(size_t busy) { most_ = std::max(most_, busy); }

  // How many are worth keeping, of which `busy` are busy now: as many as were at once in this period or the one before.
  size_t Needed(Clock::time_point now, size_t busy) {
    if (now >= end_) {
      // Of a period that is over for long nothing is known any more: as if nobody had been busy in it.
      const bool next = now < end_ + period_;
      before_ = next ? std::exchange(most_, busy) : busy;
      if (!next) most_ = busy;
      end_ = now + period_;
    }
    return std::max(before_, most_);
  }

  // When Needed() may answer less than it does now.
  Clock::time_point until() const { return end_; }

 private:
  const Clock::duration period_;
  Clock::time_point end_;
  size_t most_ = 0;    // at once, in this period
  size_t before_ = 0;  // in the one before
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_WORKER_DEMAND_H_
