#include "core/io/pio_strategy.h"

namespace blk {

Moved PioStrategy::Piece(const Buf& buf, uint8_t* data, HostOffset at, size_t size) {
  if (buf.op == BufOp::kRead) return file_.ReadAll(data, size, at, buf.cancel);
  Moved moved = file_.WriteAll(data, size, at, buf.cancel);
  if (moved.bytes > 0) range().flush->MarkDirty();
  if (moved.status.ok() && buf.durable) moved.status = Sync(buf.lane);
  return moved;
}

Status PioStrategy::Sync(Lane lane) {
  bool reached_host = false;
  Status status = range().flush->Sync([this] { return file_.Sync(); }, &reached_host);
  if (reached_host) range().counters->Add(Counter::kFlushes, 1, lane);
  return status;
}

}  // namespace blk
