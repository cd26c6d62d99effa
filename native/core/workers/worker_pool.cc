#include "core/workers/worker_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/base/no_memory.h"
#include "core/base/units.h"

namespace blk {

// At most one woken worker is on its way: when it takes a task, TaskTaken() sees to those behind it.
bool WorkerPool::WakeOne() {
  if (woken_ > 0) return true;
  if (Awake() > 0) {
    // A worker that is awake takes the task next, unless the task that it runs is stuck: the watcher finds that out.
    EnsureWatcher();
    return true;
  }
  if (Count(State::kAsleep) > 0) {
    woken_++;
    wake_.NotifyOne();
    return true;
  }
  // All workers are blocked. If no other can be had, the first one whose task is over takes what waits.
  if (Start()) woken_++;
  return !workers_.empty();
}

void WorkerPool::EnsureWatcher() {
  if (watch_.state() != StallWatch::State::kOff) return;
  // The woken workers are to take tasks; a sleeping one beyond them can watch.
  if (Count(State::kAsleep) > woken_) {
    watch_.Want();
    wake_.NotifyOne();
  } else if (Start()) {
    watch_.Want();
  }
}

void WorkerPool::TaskTaken() {
  watch_.TaskTaken();
  if (!tasks_.empty()) EnsureWatcher();
}

void WorkerPool::Block(Worker& worker) {
  Set(worker, State::kBlocked);
  if (!tasks_.empty()) static_cast<void>(WakeOne());
}

bool WorkerPool::Start() {
  if (workers_.size() == limit_) return false;
  refused_ = true;
  // Without memory, or at the host's limit of threads, the workers that there are serve alone.
  try {
    // The new thread takes the owner's lock first of all, so it finds itself counted.
    if (!HadMemory([&] { workers_.emplace_back(*this); })) return false;
  } catch (const std::system_error&) {
    return false;
  }
  refused_ = false;
  Counted(State::kAsleep)++;
  return true;
}

bool WorkerPool::BeginSpin(Worker& worker) {
  if (stopped_ || Count(State::kSpinning) > 0) return false;
  Set(worker, State::kSpinning);
  return true;
}

bool WorkerPool::Spare(StallWatch::Clock::time_point now) {
  const size_t busy = workers_.size() - Count(State::kAsleep);
  const size_t needed = std::max<size_t>(kKeptWorkers, demand_.Needed(now, busy));
  // While tasks wait or one watches, everybody stays.
  return workers_.size() > needed && tasks_.empty() && watch_.state() == StallWatch::State::kOff;
}

bool WorkerPool::Sleep(Worker& worker, Mutex& mu) {
  // Of so few it does not matter.
  if (workers_.size() > kKeptWorkers) demand_.Note(workers_.size() - Count(State::kAsleep));
  Set(worker, State::kAsleep);
  bool stuck = false;
  while (woken_ == 0 && !stopped_ && !stuck) {
    if (watch_.state() == StallWatch::State::kWanted) {
      stuck = WatchForStall(mu);
    } else if (workers_.size() <= kKeptWorkers) {
      wake_.Wait(mu);
    } else if (Spare(StallWatch::Clock::now())) {
      Counted(State::kAsleep)--;
      return false;
    } else {
      wake_.WaitUntil(mu, demand_.until());
    }
  }
  // If this worker woke because the running task is stuck, it used up no wake-up: leave woken_ for the worker it was
  // meant for.
  if (!stuck && woken_ > 0) woken_--;
  Set(worker, State::kRunning);
  // This worker was wanted as the watcher as well, and no other one is asleep to watch: TaskTaken() asks anew.
  if (watch_.state() == StallWatch::State::kWanted && Count(State::kAsleep) <= woken_) watch_.End();
  return true;
}

WorkerPool::Workers WorkerPool::TakeEnded(Worker& worker) {
  Workers before = std::exchange(ended_, {});
  const auto at = std::find_if(workers_.begin(), workers_.end(), [&](const Worker& each) { return &each == &worker; });
  ended_.splice(ended_.end(), workers_, at);
  return before;
}

bool WorkerPool::WatchForStall(Mutex& mu) {
  watch_.Begin(StallWatch::Clock::now());
  while (!watch_.Stalled(StallWatch::Clock::now())) {
    wake_.WaitUntil(mu, watch_.until());
    if (woken_ > 0 || stopped_) {
      watch_.End();
      return false;
    }
  }
  watch_.End();
  return !tasks_.empty();  // when no task waits, none is held up
}

WorkerPool::Workers WorkerPool::Stop() {
  stopped_ = true;
  Workers workers;
  workers.swap(workers_);
  workers.splice(workers.end(), ended_);
  wake_.NotifyAll();
  return workers;
}

void WorkerPool::Join(Workers& workers) {
  for (Worker& worker : workers) worker.thread_.join();
}

bool WorkerPool::Holds() const {
  if (stopped_) return workers_.empty() && tasks_.empty();
  std::array<size_t, kStates> counts{};
  for (const Worker& worker : workers_) counts[static_cast<size_t>(worker.state_)]++;
  if (counts != counts_ || Count(State::kSpinning) > 1 || woken_ > Count(State::kAsleep)) return false;
  const bool watched = watch_.state() != StallWatch::State::kOff;
  if (watched && Count(State::kAsleep) == 0) return false;
  if (tasks_.empty() || woken_ > 0) return true;
  const bool served = Awake() > 0 || (Count(State::kBlocked) == workers_.size() && NoneToBeHad());
  return served && (watched || (Count(State::kAsleep) == 0 && NoneToBeHad()));
}

}  // namespace blk
