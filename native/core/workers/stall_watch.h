// StallWatch: whether one sleeping worker watches the tasks that wait, and when it has to step in: when no task has
// been taken for as long as its patience, the worker that is running is stuck. A state and a clock's readings, no
// thread: who watches, sleeps in between (WorkerPool::Sleep()).
// Not thread-safe: the queue's lock guards it.
#ifndef RUMPBLK_CORE_WORKERS_STALL_WATCH_H_
#define RUMPBLK_CORE_WORKERS_STALL_WATCH_H_

#include <chrono>
#include <cstdint>

namespace blk {

class StallWatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit StallWatch(Clock::duration patience) : patience_(patience) {}
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;

  // kWanted: a sleeping worker was notified to become the watcher, and has not woken up yet.
  enum class State : uint8_t { kOff, kWanted, kWatching };

  State state() const { return state_; }

  // A watcher is notified.   REQUIRES: kOff.
  void Want() { state_ = State::kWanted; }
  // The caller is the watcher from here on.
  void Begin(Clock::time_point now) {
    state_ = State::kWatching;
    BeginPeriod(now);
  }
  // Nobody watches any more, or is wanted to.
  void End() { state_ = State::kOff; }

  // A task has been taken: those behind it move on.
  void TaskTaken() { taken_++; }

  // The watcher's: when to ask Stalled() again, and whether a period of patience has passed without any task taken.
  // After a period in which one was taken another one begins.   REQUIRES: kWatching.
  Clock::time_point until() const { return until_; }
  bool Stalled(Clock::time_point now) {
    if (now < until_) return false;
    if (taken_ == taken_before_) return true;
    BeginPeriod(now);
    return false;
  }

 private:
  void BeginPeriod(Clock::time_point now) {
    taken_before_ = taken_;
    until_ = now + patience_;
  }

  const Clock::duration patience_;
  State state_ = State::kOff;
  uint64_t taken_ = 0;         // tasks, ever
  uint64_t taken_before_ = 0;  // when the period began
  Clock::time_point until_;    // the end of the period
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_STALL_WATCH_H_
