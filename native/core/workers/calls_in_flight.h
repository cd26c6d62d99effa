// CallsInFlight: how many calls on one object are under way, and the close that waits until none is: nothing is
// unmapped or given back under a call (B16). A call enters, and has a token until it is over; after a close none
// enters. Thread-safe. A call takes no lock while no close has begun. Lock order: mu_ is a leaf; nothing of others runs
// under it.
#ifndef RUMPBLK_CORE_WORKERS_CALLS_IN_FLIGHT_H_
#define RUMPBLK_CORE_WORKERS_CALLS_IN_FLIGHT_H_

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include "core/base/status.h"
#include "core/base/sync.h"

namespace blk {

class CallsInFlight {
 public:
  // A call under way: its token. May end on another thread than the one it began on; used by one at a time.
  class Call {
   public:
    // None.
    Call() = default;
    Call(Call&& other) noexcept : calls_(std::exchange(other.calls_, nullptr)) {}
    Call& operator=(Call&& other) noexcept {
      Call moved(std::move(other));
      std::swap(calls_, moved.calls_);
      return *this;
    }
    // Ends as End() does: a call that is dropped is over as well.
    ~Call() { End(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    bool under_way() const { return calls_ != nullptr; }
    // The call is over: what it does to the object is done, and all of that is seen by whoever waited for it. The last
    // one after a Close() runs what that was given, and the object may be gone afterwards. Idempotent.
    void End() {
      if (CallsInFlight* const calls = std::exchange(calls_, nullptr)) calls->Leave();
    }

   private:
    friend class CallsInFlight;

    explicit Call(CallsInFlight& calls) : calls_(&calls) {}

    CallsInFlight* calls_ = nullptr;  // outlives the call
  };

  CallsInFlight() = default;
  // REQUIRES: no call is under way.
  ~CallsInFlight() { assert(count() == 0); }
  CallsInFlight(const CallsInFlight&) = delete;
  CallsInFlight& operator=(const CallsInFlight&) = delete;

  // A call begins.   Errors: EBADF after a close has begun.
  Result<Call> Enter();

  // The three ways to close. From each on no call enters, for ever; each may come behind another one.

  // Calls `at_zero` once, when no call is under way: inside this function, or inside the End() of the last call, on
  // that thread. It may destroy this object.
  // -> false when another Close() was before: at_zero is not called.
  bool Close(std::function<void()> at_zero) EXCLUDES(mu_);
  // Returns when no call is under way. What another one gave to Close() may be running still.
  // REQUIRES: no call of the calling thread is under way, nor one that needs this thread to end.
  void CloseAndWait() EXCLUDES(mu_);
  // Never waits.   Errors: EBUSY while a call is under way: what was open stays open.
  Status CloseIdle() EXCLUDES(mu_);

  // Whether a close has begun. Without the lock, for those that ask before they do anything else; Enter() decides.
  bool closed() const { return (word_.load(std::memory_order_acquire) & kClosed) != 0; }
  // Calls under way.
  size_t count() const { return static_cast<size_t>(word_.load(std::memory_order_acquire) & ~kClosed); }

 private:
  static constexpr uint64_t kClosed = uint64_t{1} << 63;

  void Leave() EXCLUDES(mu_);
  // Of a call that finds a close begun.
  void LeaveClosed() EXCLUDES(mu_);
  // No call enters any more. -> whether one is under way.
  bool Bar() REQUIRES(mu_) { return (word_.fetch_or(kClosed, std::memory_order_acq_rel) & ~kClosed) != 0; }

  // Calls under way, and kClosed once a close has begun. kClosed is set under mu_, and from then on every change is
  // made under it: who waits for 0 may destroy this object as soon as it has the lock.
  std::atomic<uint64_t> word_{0};
  Mutex mu_;
  CondVar none_left_;
  bool at_zero_given_ GUARDED_BY(mu_) = false;
  std::function<void()> at_zero_ GUARDED_BY(mu_);  // empty from when it is called on
};
static_assert(!std::is_copy_constructible_v<CallsInFlight::Call>);
static_assert(std::is_nothrow_move_constructible_v<CallsInFlight::Call>);

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_CALLS_IN_FLIGHT_H_
