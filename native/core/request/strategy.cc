#include "core/request/strategy.h"

#include <algorithm>
#include <cassert>

namespace blk {
namespace {

// The one conversion from device to host coordinates.
HostOffset ToHost(DeviceOffset position, HostOffset begin) { return {begin.value + position.value}; }

}  // namespace

void BoundedStrategy::Submit(Buf& buf) {
  assert(buf.data != nullptr || buf.bcount == 0);
  // The mode before the bounds: a write that is not allowed says so wherever it points (B15).
  if (buf.op == BufOp::kWrite && !range_.writable) return Biodone(buf, 0, {EACCES, Op::kStrategy});
  // Before the start as well as beyond the end: a negative position is larger than any size, as an unsigned one (B4).
  const DeviceOffset position{static_cast<uint64_t>(buf.position)};
  if (position.value > range_.size) return Biodone(buf, 0, {EINVAL, Op::kStrategy});

  // Cut here and not in the buf, so that the residual counts from what was asked (B39).
  const size_t size = static_cast<size_t>(std::min<uint64_t>(buf.bcount, range_.size - position.value));
  // What follows a part that meets the end moves nothing, and could make nothing durable.
  if (position.value + size >= range_.size) buf.last = true;
  Moved moved;
  if (buf.durable && buf.op == BufOp::kWrite) moved.status = range_.flush->sticky();
  if (moved.status.ok() && size > 0) moved = Move(buf, ToHost(position, range_.begin), size);
  // It comes again, through the queue, and is counted then.
  if (buf.nowait && IsUndone(moved.status)) return Biodone(buf, 0, moved.status);
  Count(buf, moved.bytes);
  Biodone(buf, moved.bytes, moved.status);
}

void BoundedStrategy::Expect(const Buf& buf) {
  if (buf.op != BufOp::kRead) return;
  const DeviceOffset position{static_cast<uint64_t>(buf.position)};
  if (position.value >= range_.size) return;
  const size_t size = static_cast<size_t>(std::min<uint64_t>(buf.bcount, range_.size - position.value));
  ExpectRead(ToHost(position, range_.begin), size);
}

void BoundedStrategy::Count(const Buf& buf, size_t moved) {
  Counters& counters = *range_.counters;
  // Also when nothing moved: the buf has passed the bounds.
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
