// Job: a request that does not run on the thread of its connection, with all that it needs. Inbox: where jobs of a
// connection come back to, and what wakes its thread.
// A job is used by one thread at a time: the connection's, a worker's or a medium's, then the connection's again. Inbox
// is thread-safe. Lock order: mu_ is a leaf.
#ifndef RUMPBLK_SERVE_JOB_H_
#define RUMPBLK_SERVE_JOB_H_

#include <atomic>
#include <memory>
#include <vector>

#include "core/base/aligned_buffer.h"
#include "core/base/sync.h"
#include "core/device/device.h"
#include "core/host/socket.h"
#include "core/nbd/wire.h"
#include "core/request/started_request.h"
#include "core/workers/blocking_estimate.h"
#include "core/workers/calls_in_flight.h"
#include "core/workers/io_worker.h"
#include "serve/block_status.h"
#include "serve/export.h"

namespace blk::serve {

struct Job;

class Inbox {
 public:
  explicit Inbox(WakeEvent wake) : wake_(std::move(wake)) {}

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

struct Job {
  nbd::RequestHeader header;
  Export* exported = nullptr;  // `call` keeps its device open
  CallsInFlight::Call call;
  std::shared_ptr<Inbox> inbox;
  // Of all but a flush and a block status: planned and admitted.
  Request request;
  Strategy* entry = nullptr;
  // What a read or a write is about, all of it, from AlignedPool::Take(taken).
  AlignedBuffer memory;
  size_t taken = 0;
  bool waits = false;                  // is known to wait for a disk
  const Contexts* contexts = nullptr;  // of a block status; of the connection, which outlives its jobs
  StartedRequest started;

  // The outcome.
  nbd::WireError error = nbd::kWireOk;
  std::vector<ContextStatus> statuses;  // of a block status

  nbd::Command command() const { return static_cast<nbd::Command>(header.type); }
};

// The outcome of a request that moves bytes and has run.
nbd::WireError OutcomeOf(const Request& request);

// Does it, to its end, and puts it into its inbox.   Thread: any.
void RunJob(std::unique_ptr<Job> job, Lane lane);
// Puts it there undone.
void DropJob(std::unique_ptr<Job> job, nbd::WireError error);
// Begins a read or a write on a medium that answers later; it comes into its inbox when it is done.   Thread: any.
void StartJob(std::unique_ptr<Job> job);

// A job in the queue; one that never runs is dropped.
class QueuedJob final : public IoTask {
 public:
  explicit QueuedJob(std::unique_ptr<Job> job) : job_(std::move(job)) {}
  ~QueuedJob() override;
  void Run(std::unique_ptr<IoTask> self, IoWorker& worker) override;
  std::unique_ptr<Job> Take() { return std::move(job_); }

 private:
  std::unique_ptr<Job> job_;
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_JOB_H_
