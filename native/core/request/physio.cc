#include "core/request/physio.h"

#include <algorithm>

namespace blk {
namespace {

// The bytes [begin, end) of a transfer that are one buf to who counts.
struct Chunk {
  uint64_t index;
  size_t begin;
  size_t end;
};

Chunk ChunkAround(const Transfer& transfer, size_t at) {
  if (!transfer.raw) return {0, 0, transfer.length};
  const size_t index = at / kPartGrid;
  return {index, index * kPartGrid, std::min(transfer.length, (index + 1) * kPartGrid)};
}

// The buf that begins at transfer.moved, ends at `end` or with its chunk, and whose data is `data`.
Buf NextBuf(const Transfer& transfer, uint8_t* data, size_t end) {
  const Chunk chunk = ChunkAround(transfer, transfer.moved);
  Buf buf;
  buf.op = transfer.op;
  // lib keeps what it asks for below 2^62, so the sum does not wrap.
  buf.position = transfer.position + static_cast<int64_t>(transfer.moved);
  buf.bcount = std::min(end, chunk.end) - transfer.moved;
  buf.data = data;
  buf.deferred = transfer.deferred;
  buf.durable = transfer.durable;
  buf.doomed = chunk.index == transfer.doomed_chunk;
  buf.nowait = transfer.nowait;
  buf.first = transfer.moved == chunk.begin;
  buf.last = end >= chunk.end;
  buf.lane = transfer.lane;
  buf.cancel = transfer.cancel;
  return buf;
}

}  // namespace

void RunTransfer(Strategy& entry, Transfer& transfer) { RunPart(entry, transfer, transfer.data, transfer.length); }

bool RunPart(Strategy& entry, Transfer& transfer, uint8_t* data, size_t size) {
  const bool misplaced = transfer.raw && transfer.position % static_cast<int64_t>(kDevBsize) != 0;
  // The injector comes first, as in the kernel: a buf that it drew fails whatever else is the matter with it.
  if (misplaced || (!transfer.refusal.ok() && transfer.doomed_chunk != 0)) {
    transfer.status = misplaced ? Status{EINVAL, Op::kStrategy} : transfer.refusal;
    transfer.failed_blkno = SectorAt(transfer.position);
    return false;
  }
  const size_t begin = transfer.moved;
  const size_t end = begin + size;
  while (transfer.moved < end) {
    Buf buf = NextBuf(transfer, data + (transfer.moved - begin), end);
    // Of a buf in parts it is the whole that has failed.
    const int64_t blkno = SectorAt(transfer.raw ? buf.position : transfer.position);
    entry.Submit(buf);
    // The outcome so far after each: whatever ends the loop, it is that of the buf that ended it.
    transfer.moved += buf.bcount - buf.resid;
    transfer.status = buf.status;
    transfer.injected = buf.injected;
    transfer.failed_blkno = blkno;
    if (!buf.status.ok() || buf.resid > 0) return false;  // the first failure, or the end of the device
  }
  return end < transfer.length;
}

}  // namespace blk
