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
  // One more worker only when none is idle: a queue that is used for a close now and then keeps one thread.
  const bool started = idle_ > used_ || workers_.size() == worker_limit_ || StartWorker();
  if (!started && workers_.empty()) return Outcome::kNoThreads;
  ring_[(head_ + used_) % ring_.size()] = std::move(task);
  used_++;
  not_empty_.NotifyOne();
  return Outcome::kQueued;
}

bool IoQueue::StartWorker() {
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
    if (stopped_) return;
    std::unique_ptr<IoTask> task = std::move(ring_[head_]);
    head_ = (head_ + 1) % ring_.size();
    used_--;
    not_full_.NotifyOne();
    lock.Unlock();
    IoTask& running = *task;
    running.Run(std::move(task), lane);
    lock.Lock();
  }
}

void IoQueue::Stop() {
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
