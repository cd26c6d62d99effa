// Inbox: where the jobs of a connection come back to, and what wakes its thread. Thread-safe. Lock order: mu_ is a
// leaf.
#ifndef RUMPBLK_SERVE_INBOX_H_
#define RUMPBLK_SERVE_INBOX_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "core/base/sync.h"
#include "core/host/socket.h"
#include "core/workers/blocking_estimate.h"

namespace blk::serve {

struct Job;

class Inbox {
 public:
  explicit Inbox(WakeEvent wake);
  ~Inbox();

  // Room for so many, so that Put() needs no memory.
  void Reserve(size_t jobs) EXCLUDES(mu_);
  // Its call is over. REQUIRES: no more than were reserved are under way.   Thread: any.
  void Put(std::unique_ptr<Job> job) EXCLUDES(mu_);
  // Moves all that came to the end of `jobs`.
  void TakeAll(std::vector<std::unique_ptr<Job>>* jobs) EXCLUDES(mu_);

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

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_INBOX_H_
