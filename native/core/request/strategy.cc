#include "core/request/strategy.h"

#include <cassert>

namespace blk {
namespace {

// The one conversion from device to host coordinates.
HostOffset ToHost(DeviceOffset position, HostOffset begin) { return {begin.value + position.value}; }

}  // namespace

void BoundedStrategy::Submit(Buf& buf) {
  assert(buf.data != nullptr || buf.bcount == 0);
  assert(buf.position <= range_.size && buf.bcount <= range_.size - buf.position);
  Moved moved;
  if (buf.durable && buf.op == BufOp::kWrite) moved.status = range_.flush->sticky();
  if (moved.status.ok() && buf.bcount > 0) moved = Move(buf, ToHost({buf.position}, range_.begin), buf.bcount);
  // It comes again, through the queue, and is counted then.
  if (buf.nowait && IsUndone(moved.status)) return Biodone(buf, 0, moved.status);
  Count(buf, moved.bytes);
  Biodone(buf, moved.bytes, moved.status);
}

void BoundedStrategy::Expect(const Buf& buf) {
  if (buf.op == BufOp::kRead && buf.bcount > 0) ExpectRead(ToHost({buf.position}, range_.begin), buf.bcount);
}

void BoundedStrategy::Count(const Buf& buf, size_t moved) {
  Counters& counters = *range_.counters;
  // Also when nothing moved: it was let through.
  if (buf.first) {
    counters.Add(Counter::kIoTotal, 1, buf.lane);
    if (buf.deferred) counters.Add(Counter::kIoAsync, 1, buf.lane);
  }
  if (moved == 0) return;
  if (buf.op == BufOp::kRead) {
    counters.Add(Counter::kBytesRead, moved, buf.lane);
  } else {
    counters.Add(Counter::kBytesWritten, moved, buf.lane);
    if (buf.deferred) counters.Add(Counter::kBytesWrittenAsync, moved, buf.lane);
  }
}

}  // namespace blk
