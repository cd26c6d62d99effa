#include "core/filter/fault_strategy.h"

#include <algorithm>

#include "core/request/physio.h"

namespace blk {
namespace {

// Bufs that physio issues when the host fails none: up to and including the one that meets the end of the device.
uint64_t ChunksIssued(const Transfer& transfer, const DeviceRange& range) {
  // physio refuses it before it makes a buf.
  if (transfer.raw && transfer.position % static_cast<int64_t>(kDevBsize) != 0) return 0;
  const uint64_t chunks = transfer.chunk_count();
  if (chunks <= 1) return chunks;
  // Refused at the first buf, which has drawn by then: faults come before the mode and the bounds (F5).
  if (transfer.op == BufOp::kWrite && !range.writable) return 1;
  const uint64_t start = static_cast<uint64_t>(transfer.position);  // of a negative one: beyond the end
  if (start >= range.size) return 1;
  // The one that meets the end is short, or empty, and the last.
  return std::min<uint64_t>(chunks, (range.size - start) / transfer.chunk_size() + 1);
}

}  // namespace

void FaultStrategy::Admit(Transfer& transfer) {
  const uint64_t count = ChunksIssued(transfer, range_);
  const uint64_t doomed = injector_.DrawUntilFailure(count);
  if (doomed < count) transfer.doomed_chunk = doomed;
  next_.Admit(transfer);
}

void FaultStrategy::Submit(Buf& buf) {
  if (!buf.doomed) return next_.Submit(buf);
  range_.counters->Add(Counter::kFaultsInjected, 1, buf.lane);
  buf.injected = true;
  Biodone(buf, 0, {EIO, Op::kStrategy});
}

}  // namespace blk
