// IoQueue: a bounded ring of tasks and the worker threads that run them, the only owner of threads in core. Workers
// start when they are needed. Tasks begin in the order they were put in; several run at once.
// Waking a thread costs more than copying a page, so one worker takes short tasks one after the other. A task that is
// about to wait says so, and another worker takes its place: while tasks are queued, one that does not wait is at work.
// Thread-safe. A task runs without any lock of the queue. Lock order: mu_ is a leaf.
// Model: the aio ring of rumpblk.c r1.31 lines 672-711 and rumpuser's aio thread; TryPut() never blocks, so that the
// JavaScript thread never waits on a full ring (line 695).
#ifndef RUMPBLK_CORE_IO_IO_QUEUE_H_
#define RUMPBLK_CORE_IO_IO_QUEUE_H_

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "core/base/counters.h"
#include "core/base/sync.h"

namespace blk {

class IoQueue;

// A worker as the task that it runs sees it. Valid while the task runs, on its thread.
class IoWorker {
 public:
  // `queue` null: the thread that would have queued the task runs it itself.
  IoWorker(IoQueue* queue, Lane lane) : queue_(queue), lane_(lane) {}

  Lane lane() const { return lane_; }
  // Says that this task is about to wait, for a disk or a lock: what is queued behind it gets another worker. A task
  // that waits without saying so holds all of them up.
  void WillBlock();

 private:
  friend class IoQueue;

  IoQueue* const queue_;
  const Lane lane_;
  bool blocked_ = false;
};

// One piece of work. Destroyed by the queue when it was run, or when it never will be.
class IoTask {
 public:
  virtual ~IoTask() = default;
  // Runs on `worker`. Hands `self` on to whoever waits for the outcome, or lets it go.
  virtual void Run(std::unique_ptr<IoTask> self, IoWorker& worker) = 0;
};

class IoQueue {
 public:
  // REQUIRES: depth and workers are not 0.
  IoQueue(size_t depth, size_t workers) : ring_(depth), worker_limit_(workers) {}
  // Stops as Stop() does.
  ~IoQueue() { Stop(); }
  IoQueue(const IoQueue&) = delete;
  IoQueue& operator=(const IoQueue&) = delete;

  enum class Outcome { kQueued, kFull, kNoThreads, kStopped };

  // Puts `task` into the ring, or leaves it where it is when the ring is full, no thread can be had, or the queue has
  // stopped. Never blocks on I/O.
  Outcome TryPut(std::unique_ptr<IoTask>& task) EXCLUDES(mu_);
  // The same, but waits while the ring is full.
  Outcome Put(std::unique_ptr<IoTask>& task) EXCLUDES(mu_);

  // Lets running tasks end, drops those that have not begun, and joins the workers. Idempotent.
  // REQUIRES: not called from a task.
  void Stop() EXCLUDES(mu_);

 private:
  friend class IoWorker;

  Outcome PutLocked(std::unique_ptr<IoTask>& task) REQUIRES(mu_);
  // Gets a worker going when tasks are queued and none is at work or on its way. -> false when none can be had at all.
  bool Summon() REQUIRES(mu_);
  bool StartWorker() REQUIRES(mu_);
  void EnterBlocked() EXCLUDES(mu_);
  void Work(Lane lane) EXCLUDES(mu_);

  Mutex mu_;
  CondVar not_empty_;
  CondVar not_full_;
  std::vector<std::unique_ptr<IoTask>> ring_ GUARDED_BY(mu_);
  size_t head_ GUARDED_BY(mu_) = 0;  // next to run
  size_t used_ GUARDED_BY(mu_) = 0;
  size_t idle_ GUARDED_BY(mu_) = 0;      // workers that wait for a task
  size_t blocked_ GUARDED_BY(mu_) = 0;   // workers whose task has said it will wait
  size_t summoned_ GUARDED_BY(mu_) = 0;  // of the idle ones, those that were notified
  bool stopped_ GUARDED_BY(mu_) = false;
  const size_t worker_limit_;
  std::vector<std::thread> workers_ GUARDED_BY(mu_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IO_IO_QUEUE_H_
