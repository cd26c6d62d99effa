// Inbox: where the jobs of a connection come back to, and what wakes its thread. Thread-safe. Lock order: mu_ is a
// leaf.
#ifndef RUMPBLK_SERVE_INBOX_H_
#define RUMPBLK_SERVE_INBOX_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/sync.h"
#include "core/host/socket.h"
#include "core/workers/blocking_estimate.h"

namespace blk::serve {

// `Job` may be incomplete but where these are called.
template <typename Job>
class InboxOf {
 public:
  explicit InboxOf(WakeEvent wake) : wake_(std::move(wake)) {}

  // Room for so many, so that Put() needs no memory.
  void Reserve(size_t jobs) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    done_.reserve(jobs);
  }
  // The job may be taken and gone when it returns. REQUIRES: no more than were reserved are under way; the caller keeps
  // the inbox.   Thread: any.
  void Put(std::unique_ptr<Job> job) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    const bool first = done_.empty();
    done_.push_back(std::move(job));
    lock.Unlock();
    if (first) wake_.Signal();
  }
  // Moves all that came to the end of `jobs`.
  void TakeAll(std::vector<std::unique_ptr<Job>>* jobs) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    for (std::unique_ptr<Job>& job : done_) jobs->push_back(std::move(job));
    done_.clear();
  }

  const WakeEvent& wake() const { return wake_; }
  // Ends transfers under way as soon as that can be: nobody waits for them any more.
  std::atomic<bool>& cancel() { return cancel_; }
  // Whether writes of this connection are taken for ones that wait.
  BlockingEstimate& writes() { return writes_; }

 private:
  const WakeEvent wake_;
  std::atomic<bool> cancel_{false};
  BlockingEstimate writes_;
  Mutex mu_;
  std::vector<std::unique_ptr<Job>> done_ GUARDED_BY(mu_);
};

struct Job;
using Inbox = InboxOf<Job>;

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_INBOX_H_
