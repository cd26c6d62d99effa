#include "core/filter/fault_filter.h"

#include "core/request/request.h"

namespace blk {

void FaultFilter::Admit(Request& request) {
  // Faults are drawn for reads and writes, which a copy has to be made of then.
  if (request.operation == Operation::kCopy) return request.plan.StopAt(0, {{EOPNOTSUPP, Op::kCopy}});
  // The seed knows no other operations: its stream stays where it is.
  if (!MovesBytes(request.operation)) return;
  // Before whatever else stops it, as in the kernel: a piece that is drawn fails also where the mode or the bounds
  // would refuse it (F5).
  const uint64_t pieces = request.pieces();
  const uint64_t drawn = injector_.DrawUntilFailure(pieces);
  if (drawn == pieces) return;
  request.plan.StopAt(static_cast<size_t>(drawn) * request.piece_size(), {{EIO, Op::kStrategy}, this});
}

void FaultFilter::Stopped(const Request& request) { counters_.Add(Counter::kFaultsInjected, 1, request.lane); }

}  // namespace blk
