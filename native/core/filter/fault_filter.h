// FaultFilter: fails the pieces which the injector drew. Draws are taken in Admit(), on the thread and in the order of
// the calls, so that a seed fails the same requests however the I/O workers interleave: the plan stops there, with EIO
// and 0 bytes of that piece moved (F1). Thread-safe. It is in force only while faults are on; requests admitted without
// it never meet it. Model: rumpblk_strategy_fail, rumpblk.c r1.31 lines 746-763.
#ifndef RUMPBLK_CORE_FILTER_FAULT_FILTER_H_
#define RUMPBLK_CORE_FILTER_FAULT_FILTER_H_

#include "core/base/counters.h"
#include "core/filter/fault_injector.h"
#include "core/request/filter.h"

namespace blk {

class FaultFilter final : public Filter {
 public:
  // `injector` and `counters` outlive this object.
  FaultFilter(Counters& counters, FaultInjector& injector) : counters_(counters), injector_(injector) {}

  // What it was not shown would not be drawn for, and the stream be another one from there on.
  FilterTraits traits() const override { return {/*needs_each_request=*/true, /*may_refuse_pieces=*/false}; }
  // Draws for every piece that the plan has, and stops the request at the first that is to fail.
  void Admit(Request& request) override;
  // Counts it as injected, and nowhere else (B43).
  void Stopped(const Request& request) override;

 private:
  Counters& counters_;
  FaultInjector& injector_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_FILTER_H_
