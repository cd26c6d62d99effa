// IoQueue: tasks that wait, a bounded number for each device, and the workers that run them. Devices take turns
// (io_turns.h); the tasks of one begin in the order they were put in; several run at once.
// Waking a thread costs more than copying a page, so one worker takes short tasks one after the other. A task that is
// about to wait says so, and another worker takes its place (worker_pool.h): while tasks are queued, one that does not
// wait is at work. Of a task that may or may not wait the queue learns from those before it (blocking_estimate.h), and
// one sleeping worker watches (stall_watch.h): nothing is held up for longer than kPatience by a task that was taken
// for a short one.
// Thread-safe. A task runs without any lock of the queue. Lock order: mu_ is a leaf.
// Model: the aio ring of rumpblk.c r1.31 lines 672-711 and rumpuser's aio thread; TryPut() never blocks, so that the
// JavaScript thread never waits for room (line 695).
#ifndef RUMPBLK_CORE_WORKERS_IO_QUEUE_H_
#define RUMPBLK_CORE_WORKERS_IO_QUEUE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/base/lane_lease.h"
#include "core/base/sync.h"
#include "core/workers/blocking_estimate.h"
#include "core/workers/io_task.h"
#include "core/workers/io_turns.h"
#include "core/workers/io_worker.h"
#include "core/workers/worker_pool.h"

namespace blk {

class IoQueue final : private IoWorker::Queue {
 public:
  // A worker that finds the same task at work after this takes over what is queued behind it.
  static constexpr std::chrono::milliseconds kPatience{2};

  // `depth` in tasks of a flow, those that run not counted; at most `workers` threads, none of which starts before the
  // first task. Each leases a lane of `lanes`; null: they use the shared one.
  // REQUIRES: depth and workers are not 0.
  IoQueue(size_t depth, size_t workers, std::chrono::milliseconds patience = kPatience,
          std::shared_ptr<Lanes> lanes = nullptr)
      : pool_(workers, patience, turns_, [this](WorkerPool::Worker& self) { Work(self); }),
        depth_(depth),
        lanes_(std::move(lanes)) {}
  // Stops as Stop() does.
  ~IoQueue() { Stop(); }
  IoQueue(const IoQueue&) = delete;
  IoQueue& operator=(const IoQueue&) = delete;

  // What became of a put. kFull: `depth` tasks of the flow wait. kNoMemory: for the flow to grow. kNoThreads: no
  // worker runs and the host has no thread left. In all cases but kQueued the task is still the caller's.
  enum class Outcome { kQueued, kFull, kNoMemory, kNoThreads, kStopped };

  // Puts `task` behind those that wait in `flow`, or leaves it where it is. Never blocks on I/O.   Thread: any.
  // REQUIRES: the flow outlives the task and is used with no other queue.
  Outcome TryPut(IoFlow& flow, std::unique_ptr<IoTask>& task) EXCLUDES(mu_);

  // Lets running tasks end, however long that takes, drops those that have not begun, and joins the workers.
  // Idempotent.
  // REQUIRES: not called from a task.
  void Stop() EXCLUDES(mu_);

  // Whether the pool's invariant holds now (WorkerPool::Holds()); for tests, at any time.   Thread: any.
  bool Holds() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return pool_.Holds();
  }

 private:
  // How long a worker that has run out of tasks spins before it sleeps: waking it costs as much.
  static constexpr std::chrono::microseconds kSpin{5};

  Outcome PutLocked(IoFlow& flow, std::unique_ptr<IoTask>& task) REQUIRES(mu_);
  // Of IoWorker::Queue.
  void Block(WorkerPool::Worker& worker) override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    pool_.Block(worker);
  }
  bool AssumesBlocking() const override { return estimate_.AssumesBlocking(); }
  // What a worker does from its start to Stop().
  void Work(WorkerPool::Worker& self) EXCLUDES(mu_);
  // Waits for a task or the end, first spinning, then asleep. Steps out of `lock`, which holds mu_. -> false when the
  // worker is not needed any more.
  bool AwaitTask(WorkerPool::Worker& self, MutexLock& lock) REQUIRES(mu_);
  // The end of a worker that is not needed any more. Steps out of `lock` for good.
  void EndWorker(WorkerPool::Worker& self, MutexLock& lock) REQUIRES(mu_);
  // Runs the task on the calling thread, which is the worker's.
  void RunTask(std::unique_ptr<IoTask> task, WorkerPool::Worker& self, Lane lane) EXCLUDES(mu_);

  mutable Mutex mu_;
  // The tasks, and the flows that they are in.
  IoTurns turns_ GUARDED_BY(mu_);
  std::atomic<uint64_t> puts_{0};  // counted up behind each put, for the worker that spins, without the lock
  WorkerPool pool_ GUARDED_BY(mu_);
  BlockingEstimate estimate_;
  const size_t depth_;
  const std::shared_ptr<Lanes> lanes_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_IO_QUEUE_H_
