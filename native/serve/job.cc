#include "serve/job.h"

#include <chrono>
#include <utility>

#include "core/base/no_memory.h"
#include "serve/judge.h"

namespace blk::serve {
namespace {

using nbd::Command;

void RunRange(Job& job, Lane lane) {
  job.request.lane = lane;
  RunRequest(*job.entry, job.request);
  job.error = ToWire(job.request.status);
}

void RunTransfer(Job& job, Lane lane) {
  Request& request = job.request;
  request.lane = lane;
  const size_t begun = request.moved;
  static_cast<void>(RunPart(*job.entry, request, job.memory.data() + begun, request.length - begun));
  job.error = OutcomeOf(request);
}

void Do(Job& job, Lane lane) {
  switch (job.command()) {
    case Command::kRead:
    case Command::kWrite: return RunTransfer(job, lane);
    case Command::kFlush: job.error = ToWire(job.exported->Flush(job.flush, lane)); return;
    case Command::kTrim:
    case Command::kCache:
    case Command::kWriteZeroes: return RunRange(job, lane);
    case Command::kBlockStatus:
      job.error =
          ToWire(CollectStatuses(*job.exported, job.header, *job.contexts, job.inbox->cancel(), lane, &job.statuses));
      return;
    case Command::kDisconnect: return;
  }
}

nbd::WireError EndOf(Job& job) {
  switch (job.command()) {
    case Command::kRead:
    case Command::kWrite: return OutcomeOf(job.request);
    case Command::kFlush: return ToWire(job.exported->EndFlush(job.flush));
    // A discard that nobody did is none that failed.
    default: return ToWire(job.request.status);
  }
}

// Its call is over.
void PutBack(std::unique_ptr<Job> job) {
  // The job keeps the inbox, and may be gone before Put() has returned.
  const std::shared_ptr<Inbox> inbox = job->inbox;
  CompleteRequest(job->request);
  // Here, and not when it is answered: a client that hears nothing must not keep the device open.
  job->call.End();
  inbox->Put(std::move(job));
}

void OnStarted(void* owner) {
  std::unique_ptr<Job> job(static_cast<Job*>(owner));
  job->error = EndOf(*job);
  PutBack(std::move(job));
}

}  // namespace

nbd::WireError OutcomeOf(const Request& request) {
  if (!request.status.ok()) return ToWire(request.status);
  return request.moved < request.length ? nbd::kWireIo : nbd::kWireOk;
}

void RunJob(std::unique_ptr<Job> job, Lane lane) {
  const bool estimates = job->command() == Command::kWrite && !job->request.durable;
  const auto begun = std::chrono::steady_clock::now();
  const bool had_memory = HadMemory([&] { Do(*job, lane); });
  if (!had_memory) {
    job->error = nbd::kWireNoMemory;
    job->request.status = {ENOMEM, Op::kStrategy};
  }
  Inbox& inbox = *job->inbox;
  if (estimates) inbox.writes().Record(std::chrono::steady_clock::now() - begun);
  HoldTicket* const held = job->hold();
  const auto go = [](void* owner) { PutBack(std::unique_ptr<Job>(static_cast<Job*>(owner))); };
  Job* const done = job.release();  // what is held belongs to `go`
  if (held == nullptr || !held->Hold(&inbox.cancel(), go, done)) PutBack(std::unique_ptr<Job>(done));
}

void DropJob(std::unique_ptr<Job> job, nbd::WireError error) {
  job->request.status = {ECANCELED, Op::kStrategy};
  job->error = error;
  PutBack(std::move(job));
}

bool Job::Starts() {
  const Device& device = exported->device();
  switch (command()) {
    case Command::kFlush:
      return flush.entry != nullptr && device.Starts(*flush.entry, flush.request, nullptr, flush.request.length);
    case Command::kBlockStatus: return false;
    default: return device.Starts(*entry, request, memory.data() + request.moved, request.length - request.moved);
  }
}

void StartJob(std::unique_ptr<Job> job) {
  Job& started = *job.release();  // OnStarted() takes it over
  const bool flush = started.command() == Command::kFlush;
  Request& request = flush ? started.flush.request : started.request;
  Strategy& entry = flush ? *started.flush.entry : *started.entry;
  // Null, of what moves no bytes, which has moved none.
  uint8_t* const data = started.memory.data() + request.moved;
  started.started.Start(entry, request, data, request.length - request.moved, OnStarted, &started);
}

QueuedJob::~QueuedJob() {
  if (job_) DropJob(std::move(job_), nbd::kWireShutdown);
}

void QueuedJob::Run(std::unique_ptr<IoTask> self, IoWorker& worker) {
  if (job_->waits) {
    worker.WillBlock();
  } else {
    worker.MayBlock();
  }
  RunJob(std::move(job_), worker.lane());
  self.reset();
}

}  // namespace blk::serve
