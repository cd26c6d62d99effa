#include "serve/inbox.h"

#include <utility>

#include "serve/job.h"

namespace blk::serve {

Inbox::Inbox(WakeEvent wake) : wake_(std::move(wake)) {}
Inbox::~Inbox() = default;

void Inbox::Reserve(size_t jobs) {
  MutexLock lock(mu_);
  done_.reserve(jobs);
}

void Inbox::Put(std::unique_ptr<Job> job) {
  // The job keeps the inbox; it may be taken and gone as soon as the lock is free.
  const std::shared_ptr<Inbox> kept = job->inbox;
  CompleteRequest(job->request);
  // Here, and not when it is answered: a client that hears nothing must not keep the device open.
  job->call.End();
  MutexLock lock(mu_);
  const bool first = done_.empty();
  done_.push_back(std::move(job));
  lock.Unlock();
  if (first) wake_.Signal();
}

void Inbox::TakeAll(std::vector<std::unique_ptr<Job>>* jobs) {
  MutexLock lock(mu_);
  for (std::unique_ptr<Job>& job : done_) jobs->push_back(std::move(job));
  done_.clear();
}

}  // namespace blk::serve
