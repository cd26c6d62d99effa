#include "core/workers/io_queue.h"

#include <utility>

namespace blk {

IoQueue::Outcome IoQueue::TryPut(IoFlow& flow, std::unique_ptr<IoTask>& task) {
  MutexLock lock(mu_);
  const Outcome outcome = PutLocked(flow, task);
  lock.Unlock();
  // After the lock, which the worker that spins takes next. Relaxed: it is a hint to look, and what there is to see is
  // read under the lock.
  if (outcome == Outcome::kQueued) puts_.fetch_add(1, std::memory_order_relaxed);
  return outcome;
}

IoQueue::Outcome IoQueue::PutLocked(IoFlow& flow, std::unique_ptr<IoTask>& task) {
  if (pool_.stopped()) return Outcome::kStopped;
  if (IoTurns::Waiting(flow) == depth_) return Outcome::kFull;
  // Before the task is put in: without any worker it would wait there for ever.
  if (!pool_.WakeOne()) return Outcome::kNoThreads;
  return turns_.Put(flow, task) ? Outcome::kQueued : Outcome::kNoMemory;
}

// Steps out of a lock that its caller holds, which clang does not follow.
bool IoQueue::AwaitTask(WorkerPool::Worker& self, MutexLock& lock) NO_THREAD_SAFETY_ANALYSIS {
  if (pool_.BeginSpin(self)) {
    const uint64_t seen = puts_.load(std::memory_order_relaxed);
    lock.Unlock();
    SpinUntil(kSpin, [&] { return puts_.load(std::memory_order_relaxed) != seen; });
    lock.Lock();
    pool_.EndSpin(self);
  }
  return !turns_.empty() || pool_.stopped() || pool_.Sleep(self, mu_);
}

// As AwaitTask().
void IoQueue::EndWorker(WorkerPool::Worker& self, MutexLock& lock) NO_THREAD_SAFETY_ANALYSIS {
  WorkerPool::Workers before = pool_.TakeEnded(self);
  lock.Unlock();
  WorkerPool::Join(before);
}

void IoQueue::Work(WorkerPool::Worker& self) {
  const LaneLease lease(lanes_);
  MutexLock lock(mu_);
  bool needed = pool_.Sleep(self, mu_);
  for (;;) {
    if (needed && turns_.empty()) needed = AwaitTask(self, lock);
    if (pool_.stopped()) return;
    if (!needed) return EndWorker(self, lock);
    // Another worker has taken the task that this one was woken for.
    if (turns_.empty()) continue;
    std::unique_ptr<IoTask> task = turns_.Take();
    pool_.TaskTaken();
    lock.Unlock();
    RunTask(std::move(task), self, lease.lane());
    lock.Lock();
    pool_.Unblock(self);
  }
}

void IoQueue::RunTask(std::unique_ptr<IoTask> task, WorkerPool::Worker& self, Lane lane) {
  // The task owns itself while it runs: it hands itself on, and may be gone when Run() returns.
  IoTask& running = *task;
  IoWorker worker(*this, self, lane);
  running.Run(std::move(task), worker);
  if (worker.may_block_since_) estimate_.Record(std::chrono::steady_clock::now() - *worker.may_block_since_);
}

void IoQueue::Stop() {
  // Workers are joined and tasks destroyed outside the lock: a running task may still put another one in, and what a
  // task's destructor does is not known here.
  WorkerPool::Workers workers;
  IoTaskList dropped;
  {
    MutexLock lock(mu_);
    workers = pool_.Stop();
    turns_.TakeAll(dropped);
  }
  WorkerPool::Join(workers);
}

}  // namespace blk
