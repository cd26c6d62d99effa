// FaultStrategy: a decorator that fails the bufs which the injector drew. Draws are taken in Admit(), on the thread and
// in the order of the calls, so that a seed fails the same requests however the I/O workers interleave; Submit() then
// fails the doomed buf with EIO and 0 bytes moved (F1) and passes all others on.
// Thread-safe. It is in a device's stack only while faults are on; requests admitted without it never meet it.
// Model: rumpblk_strategy_fail, rumpblk.c r1.31 lines 746-763.
#ifndef RUMPBLK_CORE_FILTER_FAULT_STRATEGY_H_
#define RUMPBLK_CORE_FILTER_FAULT_STRATEGY_H_

#include "core/filter/fault_injector.h"
#include "core/request/strategy.h"

namespace blk {

class FaultStrategy final : public Strategy {
 public:
  // `next`, `injector` and what `range` points to outlive this object.
  FaultStrategy(const DeviceRange& range, FaultInjector& injector, Strategy& next)
      : range_(range), injector_(injector), next_(next) {}

  // Draws for every buf that the transfer will become, and notes the first that is doomed.
  void Admit(Transfer& transfer) override;
  // Fails a doomed buf, which is counted as injected and nowhere else (B43).
  void Submit(Buf& buf) override;
  void Expect(const Buf& buf) override { next_.Expect(buf); }

 private:
  // To know how many bufs physio will issue, and where to count.
  const DeviceRange range_;
  FaultInjector& injector_;
  Strategy& next_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_STRATEGY_H_
