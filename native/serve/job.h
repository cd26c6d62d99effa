// Job: a request that does not run on the thread of its connection, with all that it needs. It is used by one thread at
// a time: the connection's, a worker's or a medium's, then the connection's again.
#ifndef RUMPBLK_SERVE_JOB_H_
#define RUMPBLK_SERVE_JOB_H_

#include <memory>
#include <vector>

#include "core/base/aligned_buffer.h"
#include "core/device/device.h"
#include "core/nbd/wire.h"
#include "core/request/started_request.h"
#include "core/workers/calls_in_flight.h"
#include "core/workers/io_worker.h"
#include "serve/block_status.h"
#include "serve/export.h"
#include "serve/inbox.h"

namespace blk::serve {

struct Job {
  nbd::RequestHeader header;
  Export* exported = nullptr;  // `call` keeps its device open
  CallsInFlight::Call call;
  std::shared_ptr<Inbox> inbox;
  // Of all but a block status: planned and admitted.
  Request request;
  Strategy* entry = nullptr;
  Device::AdmittedFlush flush;  // of a flush
  // What a read or a write is about, all of it, from AlignedPool::Take(taken).
  AlignedBuffer memory;
  size_t taken = 0;
  bool waits = false;                  // is known to wait for a disk
  const Contexts* contexts = nullptr;  // of a block status; of the connection, which outlives its jobs
  StartedRequest started;

  // The outcome.
  nbd::WireError error = nbd::kWireOk;
  std::vector<ContextStatus> statuses;  // of a block status

  // By which its answer is held, or null.
  HoldTicket* hold() const {
    const auto& decided = command() == nbd::Command::kFlush ? flush.request.plan.decided : request.plan.decided;
    return decided ? decided->hold() : nullptr;
  }
  // Whether its medium would answer all of it later. Of this moment.
  bool Starts();
  nbd::Command command() const { return static_cast<nbd::Command>(header.type); }
};

// The outcome of a read or a write that has run.
nbd::WireError OutcomeOf(const Request& request);

// Does it, to its end, and puts it into its inbox.   Thread: any.
void RunJob(std::unique_ptr<Job> job, Lane lane);
// Puts it there undone.
void DropJob(std::unique_ptr<Job> job, nbd::WireError error);
// Begins it on a medium that answers later; it comes into its inbox when it is done.   Thread: any.   REQUIRES:
// Job::Starts().
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
