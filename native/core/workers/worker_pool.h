// WorkerPool: the threads that run what waits in an IoTurns, the only owner of threads that run requests. Each worker
// is asleep, spinning, running or blocked; here is decided which one is woken, when another thread is started, and who
// watches. Workers start when they are needed; beyond kKeptWorkers they end again when fewer have done for a while, and
// all end with the pool. The invariant, which Holds() checks: while tasks
// wait,
//  - one worker is spinning, running or woken, unless all of them are blocked and no more can be had;
//  - one worker is woken, or one watches that the others get on, unless none is asleep and no more can be had.
// No more can be had when the limit is reached, or when the host gave none the last time that it was asked.
// Not thread-safe: one lock of its owner guards pool and tasks alike.
#ifndef RUMPBLK_CORE_WORKERS_WORKER_POOL_H_
#define RUMPBLK_CORE_WORKERS_WORKER_POOL_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <thread>

#include "core/base/sync.h"
#include "core/workers/io_turns.h"
#include "core/workers/stall_watch.h"
#include "core/workers/worker_demand.h"

namespace blk {

class WorkerPool {
 public:
  // How long more workers than were needed stay.
  static constexpr std::chrono::seconds kPeriod{5};

  enum class State : uint8_t {
    kAsleep,    // waits until it is woken; one of those asleep may be the watcher
    kSpinning,  // has found no task and looks for the next one without sleeping
    kRunning,   // runs a task, or is about to take one
    kBlocked    // runs a task that has said that it is about to wait
  };

  // One thread. Its state changes through the pool alone, on the thread itself.
  class Worker {
   public:
    // Starts the thread.
    explicit Worker(WorkerPool& pool) : thread_([this, &pool] { pool.work_(*this); }) {}
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

   private:
    friend class WorkerPool;

    State state_ = State::kAsleep;
    std::thread thread_;  // last: it uses the state
  };
  using Workers = std::list<Worker>;

  // At most `limit` threads. Each calls `work` without the owner's lock, takes that, and calls Sleep() first of all; it
  // ends when `work` returns, which it does soon after Stop(), and after Sleep() has said so. `tasks` outlives the
  // pool. REQUIRES: limit is not 0.
  WorkerPool(size_t limit, std::chrono::milliseconds patience, const IoTurns& tasks, std::function<void(Worker&)> work,
             std::chrono::milliseconds period = kPeriod)
      : limit_(limit), tasks_(tasks), work_(std::move(work)), watch_(patience), demand_(period) {}
  // REQUIRES: Stop() was called, and what it gave is joined.
  ~WorkerPool() = default;
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Sees to it that a task which waits, or is about to be put in, has a worker. Wakes one, or starts one, when none is
  // spinning, running or woken; else at least one watches that those get on.
  // -> false when there is no worker at all, and none can be had.
  bool WakeOne();
  // A task was taken out of `tasks`: if others wait behind it, a watcher looks after them.
  void TaskTaken();
  // The worker's task is about to wait: what is behind it gets another worker.
  void Block(Worker& worker);
  // The worker's task is over, whether it has blocked or not.
  void Unblock(Worker& worker) { Set(worker, State::kRunning); }

  // Begins to spin. -> false when another worker does so already, or when it is not worth while: one is enough, and it
  // is not asleep, so that nobody is woken for what comes meanwhile. The worker lets go of the lock and looks.
  bool BeginSpin(Worker& worker);
  void EndSpin(Worker& worker) { Set(worker, State::kRunning); }
  // Sleeps until the worker is woken, until as the watcher it finds that the running one is stuck, or until the end.
  // `mu` is the owner's lock, let go of meanwhile. -> false when the worker is not needed any more: it is one of the
  // pool no longer, and joins without the lock what TakeEnded() gives it, but for itself.
  bool Sleep(Worker& worker, Mutex& mu) REQUIRES(mu);
  // Puts the worker, which Sleep() has let go, among those that have ended. -> those that had before, for the caller to
  // join: so there is one at most that nobody has joined.
  Workers TakeEnded(Worker& worker);

  // From here on no worker sleeps, and none starts. -> the workers, those that have ended too, for the caller to join
  // without the lock; the second time none.
  Workers Stop();
  bool stopped() const { return stopped_; }
  // Waits for the end of workers that Stop() gave.
  static void Join(Workers& workers);

  size_t Count(State state) const { return counts_[static_cast<size_t>(state)]; }
  // Whether the invariant holds, and whether the counts are those of the workers there are: at any time at which nobody
  // else has the lock.
  bool Holds() const;

 private:
  static constexpr size_t kStates = 4;

  // Every change of a state, and of the counts.
  void Set(Worker& worker, State state) {
    Counted(worker.state_)--;
    worker.state_ = state;
    Counted(state)++;
  }
  size_t& Counted(State state) { return counts_[static_cast<size_t>(state)]; }
  bool NoneToBeHad() const { return workers_.size() == limit_ || refused_; }
  // Workers that take the next task without being woken.
  size_t Awake() const { return Count(State::kSpinning) + Count(State::kRunning); }

  // Starts one more, which is asleep. -> false when the limit is reached or the host has no more threads.
  bool Start();
  // Gets a worker to watch, unless one does or is about to.
  void EnsureWatcher();
  // Whether a worker that is asleep can end.
  bool Spare(StallWatch::Clock::time_point now);
  // What the watcher does instead of sleeping. -> whether the worker that is running is stuck, while tasks wait.
  bool WatchForStall(Mutex& mu) REQUIRES(mu);

  // ---- constant
  const size_t limit_;
  const IoTurns& tasks_;
  const std::function<void(Worker&)> work_;

  // ---- under the owner's lock
  // For workers that are asleep: woken, wanted as the watcher, or the end.
  CondVar wake_;
  std::array<size_t, kStates> counts_{};  // of workers, by their state
  size_t woken_ = 0;                      // of those asleep, how many were notified to take tasks
  StallWatch watch_;
  WorkerDemand demand_;
  bool refused_ = false;  // the host had no thread to give, the last time that one was asked for
  bool stopped_ = false;
  Workers workers_;
  Workers ended_;  // of which one may be on its way out
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_WORKER_POOL_H_
