#include "core/workers/calls_in_flight.h"

#include <cerrno>

namespace blk {

Result<CallsInFlight::Call> CallsInFlight::Enter() {
  uint64_t word = word_.load(std::memory_order_relaxed);
  do {
    if ((word & kClosed) != 0) return Status{EBADF, Op::kStrategy};
  } while (!word_.compare_exchange_weak(word, word + 1, std::memory_order_acquire, std::memory_order_relaxed));
  return Call(*this);
}

void CallsInFlight::Leave() {
  uint64_t word = word_.load(std::memory_order_relaxed);
  while ((word & kClosed) == 0) {
    // Release, with the acquire of the close that comes next: it sees all that the call did. This object may be gone
    // behind the exchange.
    if (word_.compare_exchange_weak(word, word - 1, std::memory_order_release, std::memory_order_relaxed)) return;
  }
  LeaveClosed();
}

void CallsInFlight::LeaveClosed() {
  std::function<void()> at_zero;
  {
    MutexLock lock(mu_);
    if (word_.fetch_sub(1, std::memory_order_acq_rel) - 1 != kClosed) return;
    none_left_.NotifyAll();
    at_zero = std::exchange(at_zero_, nullptr);
  }
  if (at_zero) at_zero();
}

bool CallsInFlight::Close(std::function<void()> at_zero) {
  {
    MutexLock lock(mu_);
    if (std::exchange(at_zero_given_, true)) return false;
    if (Bar()) {
      at_zero_ = std::move(at_zero);
      return true;
    }
  }
  at_zero();
  return true;
}

void CallsInFlight::CloseAndWait() {
  MutexLock lock(mu_);
  static_cast<void>(Bar());
  while (count() > 0) none_left_.Wait(mu_);
}

Status CallsInFlight::CloseIdle() {
  MutexLock lock(mu_);
  uint64_t word = 0;
  if (word_.compare_exchange_strong(word, kClosed, std::memory_order_acq_rel) || word == kClosed) return Status::Ok();
  return {EBUSY, Op::kClose};
}

}  // namespace blk
