#include "core/io/io_queue.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace blk {

IoQueue::Outcome IoQueue::TryPut(std::unique_ptr<IoTask>& task) {
  MutexLock lock(mu_);
  if (stopped_) return Outcome::kStopped;
  if (used_ == ring_.size()) return Outcome::kFull;
  return PutLocked(task);
}

IoQueue::Outcome IoQueue::Put(std::unique_ptr<IoTask>& task) {
  MutexLock lock(mu_);
  while (!stopped_ && used_ == ring_.size()) not_full_.Wait(mu_);
  if (stopped_) return Outcome::kStopped;
  return PutLocked(task);
}

IoQueue::Outcome IoQueue::PutLocked(std::unique_ptr<IoTask>& task) {
  // Before the task is in: without any worker it would stay in the ring for ever.
  if (!Summon()) return Outcome::kNoThreads;
  ring_[(head_ + used_) % ring_.size()] = std::move(task);
  used_++;
  return Outcome::kQueued;
}

bool IoQueue::Summon() {
  // One is on its way, or one is at work that has not said it will wait: it takes this task next.
  if (summoned_ > 0 || idle_ + blocked_ < workers_.size()) return true;
  if (idle_ > 0) {
    summoned_++;
    not_empty_.NotifyOne();
    return true;
  }
  // All of them wait: those that exist serve in the end.
  return (workers_.size() < worker_limit_ && StartWorker()) || !workers_.empty();
}

void IoWorker::WillBlock() {
  if (std::exchange(blocked_, true) || queue_ == nullptr) return;
  queue_->EnterBlocked();
}

void IoQueue::EnterBlocked() {
  MutexLock lock(mu_);
  blocked_++;
  if (used_ > 0) static_cast<void>(Summon());
}

bool IoQueue::StartWorker() {
  // Lane 0 is the caller's; workers beyond the lanes there are share the last one.
  const Lane lane = static_cast<Lane>(std::min<size_t>(workers_.size() + 1, kSharedLane));
  try {
    workers_.emplace_back([this, lane] { Work(lane); });
    return true;
  } catch (const std::system_error&) {
    return false;  // the host's limit of threads: those that run serve alone
  }
}

void IoQueue::Work(Lane lane) {
  MutexLock lock(mu_);
  for (;;) {
    idle_++;
    while (used_ == 0 && !stopped_) not_empty_.Wait(mu_);
    idle_--;
    if (summoned_ > 0) summoned_--;
    if (stopped_) return;
    std::unique_ptr<IoTask> task = std::move(ring_[head_]);
    head_ = (head_ + 1) % ring_.size();
    used_--;
    not_full_.NotifyOne();
    lock.Unlock();
    // The task owns itself while it runs: it hands itself on, and may be gone when Run() returns.
    IoTask& running = *task;
    IoWorker worker(this, lane);
    running.Run(std::move(task), worker);
    lock.Lock();
    if (worker.blocked_) blocked_--;
  }
}

void IoQueue::Stop() {
  // Joined and destroyed outside the lock: a running task may still ask for it, and a task's end is its own business.
  std::vector<std::thread> workers;
  std::vector<std::unique_ptr<IoTask>> dropped;
  {
    MutexLock lock(mu_);
    stopped_ = true;
    workers.swap(workers_);
    for (; used_ > 0; used_--, head_ = (head_ + 1) % ring_.size()) dropped.push_back(std::move(ring_[head_]));
  }
  not_empty_.NotifyAll();
  not_full_.NotifyAll();
  for (std::thread& worker : workers) worker.join();
}

}  // namespace blk
