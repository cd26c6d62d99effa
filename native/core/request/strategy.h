// Strategy: takes one buf and finishes it. Decorators (faults) wrap a Strategy; BoundedStrategy is the innermost one
// for every access mode: it decides what a request may reach, and hands the rest to the mode's own Move().
// Thread-safe: Submit() may run on any number of threads at once. Submit() completes the buf before it returns.
// Model: d_strategy; the bounds of rumpblk.c r1.31 lines 590-614, in device coordinates (B2, B4, B5).
#ifndef RUMPBLK_CORE_REQUEST_STRATEGY_H_
#define RUMPBLK_CORE_REQUEST_STRATEGY_H_

#include "core/base/counters.h"
#include "core/base/moved.h"
#include "core/base/units.h"
#include "core/request/buf.h"
#include "core/request/flush_state.h"

namespace blk {

struct Transfer;

class Strategy {
 public:
  // No buf may be under way.
  virtual ~Strategy() = default;

  // Looks at a transfer on the thread that asks for it, in the order of the calls, before it is queued or run. Once per
  // transfer; it may only set `doomed_chunk` and `refusal`. Decorators pass it on.
  virtual void Admit(Transfer& transfer) { static_cast<void>(transfer); }

  // Does `buf` and completes it, once: resid, status and injected are set on return.
  // Errors in buf.status: EINVAL negative, overflowing or beyond the end (B4, B5) · EACCES write on an 'r' open (B15) ·
  // EROFS guarded · EIO, ENOSPC and the host's others · ECANCELED · those of IsUndone().   Short with
  // status ok only at the end of the device.
  // Thread: any; it waits for the disk unless the buf says otherwise.   Source: d_strategy, strategy(9).
  virtual void Submit(Buf& buf) = 0;

  // Hints that `buf` is submitted soon, so that its bytes can be on their way meanwhile. Changes nothing that anybody
  // sees, whatever the buf says: it may never come, and is checked when it does. Decorators pass it on.   Thread: any.
  virtual void Expect(const Buf& buf) { static_cast<void>(buf); }
};

// What the strategies of one open share, each in a copy. What it points to outlives them.
struct DeviceRange {
  uint64_t size = 0;  // bytes of the device
  HostOffset begin;   // where it starts in the host file
  bool writable = false;
  Counters* counters = nullptr;
  FlushState* flush = nullptr;
};

// The innermost strategy: what is the same for every access mode. Submit() is final so that no mode forgets a rule.
class BoundedStrategy : public Strategy {
 public:
  // What `range` points to outlives this object.
  explicit BoundedStrategy(const DeviceRange& range) : range_(range) {}

  // Refuses what the open or the device does not allow, cuts at the end of the device, answers a durable write with the
  // sticky sync error if there is one, and counts what was done.
  void Submit(Buf& buf) final;

  // Passes on a read that begins inside the device.
  void Expect(const Buf& buf) final;

 protected:
  // Moves `size` bytes between buf.data and the host file from `at` on; a durable write is on the medium when it
  // returns. The range lies inside the device, and size is not 0.   Thread: any.
  virtual Moved Move(const Buf& buf, HostOffset at, size_t size) = 0;
  // Hints that `size` bytes from `at` on, inside the device, are read soon.   Thread: any; never waits.
  virtual void ExpectRead(HostOffset at, size_t size) {
    static_cast<void>(at);
    static_cast<void>(size);
  }

  const DeviceRange& range() const { return range_; }

 private:
  // What moved, not what was asked for (B14, B43); also of a buf that failed half-way.
  void Count(const Buf& buf, size_t moved);

  const DeviceRange range_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_STRATEGY_H_
