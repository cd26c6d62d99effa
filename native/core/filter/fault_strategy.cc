#include "core/filter/fault_strategy.h"

#include "core/request/transfer.h"

namespace blk {

void FaultStrategy::Admit(Transfer& transfer) {
  next_.Admit(transfer);
  // Before whatever else stops it, as in the kernel: a buf that is drawn fails also where the mode or the bounds would
  // refuse it (F5).
  const uint64_t pieces = transfer.pieces();
  const uint64_t drawn = injector_.DrawUntilFailure(pieces);
  if (drawn == pieces) return;
  transfer.plan.StopAt(static_cast<size_t>(drawn) * transfer.piece_size(), {{EIO, Op::kStrategy}, this});
}

void FaultStrategy::Stopped(const Transfer& transfer) { counters_.Add(Counter::kFaultsInjected, 1, transfer.lane); }

}  // namespace blk
