#include "core/work/calls_in_flight.h"

#include <cerrno>

namespace blk {

Result<CallsInFlight::Call> CallsInFlight::Enter() {
  MutexLock lock(mu_);
  if (closed_) return Status{EBADF, Op::kStrategy};
  count_++;
  return Call(*this);
}

void CallsInFlight::Leave() {
  std::function<void()> at_zero;
  {
    MutexLock lock(mu_);
    if (--count_ > 0 || !closed_) return;
    // Under the lock: who waits may destroy this object as soon as it has the lock.
    none_left_.NotifyAll();
    at_zero = std::exchange(at_zero_, nullptr);
  }
  if (at_zero) at_zero();
}

bool CallsInFlight::Close(std::function<void()> at_zero) {
  {
    MutexLock lock(mu_);
    if (std::exchange(at_zero_given_, true)) return false;
    closed_ = true;
    if (count_ > 0) {
      at_zero_ = std::move(at_zero);
      return true;
    }
  }
  at_zero();
  return true;
}

void CallsInFlight::CloseAndWait() {
  MutexLock lock(mu_);
  closed_ = true;
  while (count_ > 0) none_left_.Wait(mu_);
}

Status CallsInFlight::CloseIdle() {
  MutexLock lock(mu_);
  if (count_ > 0) return {EBUSY, Op::kClose};
  closed_ = true;
  return Status::Ok();
}

}  // namespace blk
