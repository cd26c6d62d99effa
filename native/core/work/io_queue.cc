#include "core/work/io_queue.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/base/no_memory.h"

namespace blk {

IoQueue::Outcome IoQueue::TryPut(IoFlow& flow, std::unique_ptr<IoTask>& task) {
  MutexLock lock(mu_);
  const Outcome outcome = PutLocked(flow, task);
  lock.Unlock();
  // After the lock, which whoever is on the lookout takes next. Relaxed: it is a hint to look, and what there is to see
  // is read under the lock.
  if (outcome == Outcome::kQueued) puts_.fetch_add(1, std::memory_order_relaxed);
  return outcome;
}

IoQueue::Outcome IoQueue::PutLocked(IoFlow& flow, std::unique_ptr<IoTask>& task) {
  if (stopped_) return Outcome::kStopped;
  if (IoTurns::Waiting(flow) == depth_) return Outcome::kFull;
  // Before the task is in: without any worker it would wait for ever.
  if (!Summon()) return Outcome::kNoThreads;
  return turns_.Put(flow, task) ? Outcome::kQueued : Outcome::kNoMemory;
}

// Never more than one on its way: who wakes up takes what is queued, and sees to the next one.
bool IoQueue::Summon() {
  if (summoned_ > 0) return true;  // one is on its way
  if (idle_ + blocked_ < workers_.size()) {
    // One is at work that has not said it will wait: it takes this task next, and another one sees to it.
    Guard();
    return true;
  }
  if (idle_ > 0) {
    summoned_++;
    not_empty_.NotifyOne();
    return true;
  }
  // All of them wait: those that exist serve in the end.
  if (StartWorker()) summoned_++;
  return !workers_.empty();
}

void IoQueue::Guard() {
  if (watch_ != Watch::kNone) return;
  // Those that are summoned have something else to do when they wake.
  if (idle_ > summoned_) {
    watch_ = Watch::kWanted;
    not_empty_.NotifyOne();
  } else if (StartWorker()) {
    watch_ = Watch::kWanted;
  }
}

void IoWorker::WillBlock() {
  if (std::exchange(blocked_, true) || queue_ == nullptr) return;
  queue_->EnterBlocked();
}

void IoWorker::MayBlock() {
  if (queue_ == nullptr) return;
  may_block_since_ = std::chrono::steady_clock::now();
  // Relaxed: the worst that a stale answer costs is one thread woken, or kPatience.
  if (queue_->wary_.load(std::memory_order_relaxed) > 0) WillBlock();
}

// Several workers may do so at once; one that gets lost changes nothing.
void IoQueue::Learn(std::chrono::nanoseconds took) {
  const unsigned wary = wary_.load(std::memory_order_relaxed);
  if (took > kShort) {
    wary_.store(kWary, std::memory_order_relaxed);
  } else if (wary > 0) {
    wary_.store(wary - 1, std::memory_order_relaxed);
  }
}

void IoQueue::EnterBlocked() {
  MutexLock lock(mu_);
  blocked_++;
  if (!turns_.empty()) static_cast<void>(Summon());
}

bool IoQueue::StartWorker() {
  if (workers_.size() == worker_limit_) return false;
  // No memory, or the host's limit of threads: those that run serve alone.
  try {
    // The thread asks for the lock first, so it sees itself counted as idle.
    if (!HadMemory([&]() REQUIRES(mu_) { workers_.emplace_back([this] { Work(); }); })) return false;
    idle_++;
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

// Steps out of a lock that its caller holds, which clang does not follow.
void IoQueue::AwaitTask(MutexLock& lock) NO_THREAD_SAFETY_ANALYSIS {
  // One is enough. It counts as at work, so nobody is woken for what comes meanwhile.
  if (turns_.empty() && !stopped_ && !lookout_) {
    lookout_ = true;
    const uint64_t seen = puts_.load(std::memory_order_relaxed);
    lock.Unlock();
    SpinUntil(kLookout, [&] { return puts_.load(std::memory_order_relaxed) != seen; });
    lock.Lock();
    lookout_ = false;
  }
  if (!turns_.empty() || stopped_) return;
  idle_++;
  Sleep();
}

void IoQueue::Sleep() {
  bool stuck = false;
  while (summoned_ == 0 && !stopped_ && !stuck) {
    if (watch_ == Watch::kWanted) {
      watch_ = Watch::kKept;
      stuck = KeepWatch();
      watch_ = Watch::kNone;
    } else {
      not_empty_.Wait(mu_);
    }
  }
  // Whoever leaves for stuck tasks was not summoned for them; a summons that came meanwhile is another one's.
  if (!stuck && summoned_ > 0) summoned_--;
  idle_--;
  // It was told to keep watch as well, and nobody is left to: whoever is at work asks again.
  if (watch_ == Watch::kWanted && idle_ <= summoned_) watch_ = Watch::kNone;
}

bool IoQueue::KeepWatch() {
  for (;;) {
    const uint64_t taken = taken_;
    const auto until = std::chrono::steady_clock::now() + patience_;
    while (std::chrono::steady_clock::now() < until) {
      not_empty_.WaitUntil(mu_, until);
      if (summoned_ > 0 || stopped_) return false;
    }
    if (taken == taken_) return !turns_.empty();  // when nothing is queued either, there is nothing to look after
  }
}

void IoQueue::Work() {
  const LaneLease lease(lanes_);
  MutexLock lock(mu_);
  Sleep();
  for (;;) {
    if (turns_.empty()) AwaitTask(lock);
    if (stopped_) return;
    // Somebody else was faster, or the task that this one was to rescue has been taken.
    if (turns_.empty()) continue;
    std::unique_ptr<IoTask> task = turns_.Take();
    taken_++;
    // From here on this worker is at work, for who knows how long, and others wait behind it.
    if (!turns_.empty()) Guard();
    lock.Unlock();
    // The task owns itself while it runs: it hands itself on, and may be gone when Run() returns.
    IoTask& running = *task;
    IoWorker worker(this, lease.lane());
    running.Run(std::move(task), worker);
    if (worker.may_block_since_) Learn(std::chrono::steady_clock::now() - *worker.may_block_since_);
    lock.Lock();
    if (worker.blocked_) blocked_--;
  }
}

void IoQueue::Stop() {
  // Joined and destroyed outside the lock: a running task may still ask for it, and a task's end is its own business.
  std::vector<std::thread> workers;
  IoTaskList dropped;
  {
    MutexLock lock(mu_);
    stopped_ = true;
    workers.swap(workers_);
    turns_.TakeAll(dropped);
  }
  not_empty_.NotifyAll();
  for (std::thread& worker : workers) worker.join();
}

}  // namespace blk
