#include "core/request/strategy.h"

#include <cassert>

#include "core/medium/channel.h"

namespace blk {
namespace {

// The one conversion from device to medium coordinates.
MediumOffset ToMedium(DeviceOffset position, MediumOffset begin) { return {begin.value + position.value}; }

}  // namespace

void BoundedStrategy::Submit(Piece& piece) {
  assert(piece.data != nullptr || piece.size == 0 || !MovesBytes(piece.operation));
  assert(piece.position <= range_.size && piece.size <= range_.size - piece.position);
  Moved moved{0, MayBegin(piece)};
  if (moved.status.ok() && piece.size > 0) {
    const MediumOffset at = ToMedium({piece.position}, range_.begin);
    moved = MovesBytes(piece.operation) ? Move(piece, at, piece.size) : Apply(piece, at, piece.size);
  }
  // It comes again, through the queue, and is counted then.
  if (piece.nowait && IsUndone(moved.status)) return Biodone(piece, 0, moved.status);
  Count(piece, moved);
  Biodone(piece, moved.bytes, moved.status);
}

bool BoundedStrategy::Starts(const Piece& piece) {
  return piece.size > 0 && StartsMove(piece, ToMedium({piece.position}, range_.begin));
}

void BoundedStrategy::Start(StartedPiece& piece) {
  if (piece.size > 0 && MayBegin(piece).ok()) {
    piece.answered = OnAnswered;
    piece.strategy = this;
    if (StartMove(piece, ToMedium({piece.position}, range_.begin))) return;
  }
  Submit(piece);
  piece.finish(piece);
}

void BoundedStrategy::OnAnswered(StartedPiece& piece, const Moved& moved) {
  piece.strategy->Count(piece, moved);
  Biodone(piece, moved.bytes, moved.status);
  piece.finish(piece);
}

void BoundedStrategy::Expect(const Piece& piece) {
  if (piece.operation == Operation::kRead && piece.size > 0)
    ExpectRead(ToMedium({piece.position}, range_.begin), piece.size);
}

void BoundedStrategy::Count(const Piece& piece, const Moved& moved) {
  Counters& counters = *range_.counters;
  if (!MovesBytes(piece.operation)) return CountApplied(piece, moved);
  // Also when nothing moved: it was let through.
  if (piece.first) {
    counters.Add(Counter::kIoTotal, 1, piece.lane);
    if (piece.deferred) counters.Add(Counter::kIoAsync, 1, piece.lane);
  }
  if (moved.bytes == 0) return;
  if (piece.operation == Operation::kRead) {
    counters.Add(Counter::kBytesRead, moved.bytes, piece.lane);
  } else {
    counters.Add(Counter::kBytesWritten, moved.bytes, piece.lane);
    if (piece.deferred) counters.Add(Counter::kBytesWrittenAsync, moved.bytes, piece.lane);
  }
}

void BoundedStrategy::CountApplied(const Piece& piece, const Moved& moved) {
  Counters& counters = *range_.counters;
  if (piece.operation == Operation::kDiscard) {
    counters.Add(Counter::kDiscards, 1, piece.lane);
    if (moved.bytes > 0) counters.Add(Counter::kBytesDiscarded, moved.bytes, piece.lane);
    if (moved.bytes == 0 && moved.status.ok() && piece.size > 0) counters.Add(Counter::kDiscardsIgnored, 1, piece.lane);
  } else if (piece.operation == Operation::kZero) {
    counters.Add(Counter::kZeroes, 1, piece.lane);
    if (moved.bytes > 0) counters.Add(Counter::kBytesZeroed, moved.bytes, piece.lane);
  } else if (piece.operation == Operation::kCopy && moved.bytes > 0) {
    // Nothing is read or written of a hole. The lane is none of the source's driver.
    const uint64_t data = moved.bytes - piece.source->holes;
    counters.Add(Counter::kIoTotal, 1, piece.lane);
    counters.Add(Counter::kBytesWritten, data, piece.lane);
    piece.source->counters->Add(Counter::kIoTotal, 1, kSharedLane);
    piece.source->counters->Add(Counter::kBytesRead, data, kSharedLane);
  }
}

}  // namespace blk
