// FaultStrategy: a decorator that fails the pieces which the injector drew. Draws are taken in Admit(), on the thread
// and in the order of the calls, so that a seed fails the same requests however the I/O workers interleave: the plan
// stops there, with EIO and 0 bytes of that piece moved (F1). Thread-safe. It is in a device's stack only while faults
// are on; requests admitted without it never meet it. Model: rumpblk_strategy_fail, rumpblk.c r1.31 lines 746-763.
#ifndef RUMPBLK_CORE_FILTER_FAULT_STRATEGY_H_
#define RUMPBLK_CORE_FILTER_FAULT_STRATEGY_H_

#include "core/filter/fault_injector.h"
#include "core/request/strategy.h"

namespace blk {

class FaultStrategy final : public Strategy {
 public:
  // `next`, `injector` and `counters` outlive this object.
  FaultStrategy(Counters& counters, FaultInjector& injector, Strategy& next)
      : counters_(counters), injector_(injector), next_(next) {}

  // Draws for every piece that the plan has, and stops the request at the first that is to fail.
  void Admit(Request& request) override;
  // Counts it as injected, and nowhere else (B43).
  void Stopped(const Request& request) override;
  void Submit(Piece& piece) override { next_.Submit(piece); }
  void Start(StartedPiece& piece) override { next_.Start(piece); }
  void Expect(const Piece& piece) override { next_.Expect(piece); }

 private:
  Counters& counters_;
  FaultInjector& injector_;
  Strategy& next_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_STRATEGY_H_
