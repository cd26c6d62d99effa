// Strategy: takes one buf and finishes it. Decorators (faults) wrap a Strategy; BoundedStrategy is the innermost one
// for every access mode: it answers and counts, and hands the bytes to the mode's own Move().
// Thread-safe: Submit() may run on any number of threads at once. Submit() completes the buf before it returns.
// Model: d_strategy, in device coordinates (B2).
#ifndef RUMPBLK_CORE_REQUEST_STRATEGY_H_
#define RUMPBLK_CORE_REQUEST_STRATEGY_H_

#include "core/base/moved.h"
#include "core/base/units.h"
#include "core/request/buf.h"
#include "core/request/device_range.h"

namespace blk {

struct Transfer;

class Strategy {
 public:
  // No buf may be under way.
  virtual ~Strategy() = default;

  // Looks at a transfer that is planned, on the thread that asks for it, in the order of the calls, before it is queued
  // or run. Once per transfer; it may stop it, and change nothing else. Decorators pass it on first.
  virtual void Admit(Transfer& transfer) { static_cast<void>(transfer); }

  // A transfer has come to the piece at which this strategy has stopped it, and ends there.
  virtual void Stopped(const Transfer& transfer) { static_cast<void>(transfer); }

  // Does `buf` and completes it, once: resid and status are set on return.
  // Errors in buf.status: EROFS guarded · EIO, ENOSPC and the host's others · ECANCELED · those of IsUndone().
  // Thread: any; it waits for the disk unless the buf says otherwise.   Source: d_strategy, strategy(9).
  // REQUIRES: the plan of its transfer lets it run.
  virtual void Submit(Buf& buf) = 0;

  // Hints that `buf` is submitted soon, so that its bytes can be on their way meanwhile. Changes nothing that anybody
  // sees: it may never come. Decorators pass it on.   Thread: any.   REQUIRES: as Submit().
  virtual void Expect(const Buf& buf) { static_cast<void>(buf); }
};

// The innermost strategy: what is the same for every access mode. Submit() is final so that no mode forgets a rule.
class BoundedStrategy : public Strategy {
 public:
  // What `range` points to outlives this object.
  explicit BoundedStrategy(const DeviceRange& range) : range_(range) {}

  // Answers a durable write with the sticky sync error if there is one, and counts what was done. The error when it
  // runs, not when it is planned: a sync may have failed since.
  void Submit(Buf& buf) final;

  // Passes on a read.
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
