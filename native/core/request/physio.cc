#include "core/request/physio.h"

#include <algorithm>

namespace blk {
namespace {

// The buf of `transfer` with the given index.
Buf ChunkOf(const Transfer& transfer, uint64_t index) {
  const size_t at = static_cast<size_t>(index) * transfer.chunk_size();
  Buf buf;
  buf.op = transfer.op;
  // Chunks are whole sectors, but for the last. lib clamps block numbers at 2^53, so the sum does not wrap.
  buf.blkno = transfer.blkno + static_cast<int64_t>(at / kDevBsize);
  buf.skip = transfer.skip;
  buf.bcount = std::min(transfer.length - at, transfer.chunk_size());
  buf.data = transfer.data + at;
  buf.deferred = transfer.deferred;
  buf.durable = transfer.durable;
  buf.doomed = index == transfer.doomed_chunk;
  buf.nowait = transfer.nowait;
  buf.lane = transfer.lane;
  buf.cancel = transfer.cancel;
  return buf;
}

}  // namespace

void RunTransfer(Strategy& entry, Transfer& transfer) {
  const bool misplaced = transfer.raw && transfer.skip != 0;
  // The injector comes first, as in the kernel: a buf that it drew fails whatever else is the matter with it.
  if (misplaced || (!transfer.refusal.ok() && transfer.doomed_chunk != 0)) {
    transfer.status = misplaced ? Status{EINVAL, Op::kStrategy} : transfer.refusal;
    transfer.failed_blkno = transfer.blkno;
    return;
  }
  const uint64_t chunks = transfer.chunk_count();
  for (uint64_t i = 0; i < chunks; i++) {
    Buf buf = ChunkOf(transfer, i);
    entry.Submit(buf);
    // The outcome so far after each: whatever ends the loop, it is that of the buf that ended it.
    transfer.moved += buf.bcount - buf.resid;
    transfer.status = buf.status;
    transfer.injected = buf.injected;
    transfer.failed_blkno = buf.blkno;
    if (!buf.status.ok() || buf.resid > 0) return;  // the first failure, or the end of the device
  }
}

}  // namespace blk
