#include "core/access/mapped_strategy.h"

#include <algorithm>

#include "core/host/copy.h"

namespace blk {

Moved MappedStrategy::Move(const Piece& piece, MediumOffset at, size_t size) {
  // A window may have to be waited for, and a mapped page is not a resident one.
  if (piece.nowait) return {0, {EOPNOTSUPP, Op::kStrategy}};
  size_t done = 0;
  while (done < size) {
    if (IsCancelled(piece.cancel)) return {done, {ECANCELED, Op::kStrategy}};
    const Moved moved = MoveInWindow(piece, piece.data + done, {at.value + done}, size - done);
    done += moved.bytes;
    if (!moved.status.ok()) return {done, moved.status};
  }
  return {done, Status::Ok()};
}

Moved MappedStrategy::ReadInWindow(const Piece& piece, const WindowRef& window, uint8_t* data, MediumOffset at,
                                   size_t size) {
  CopyBytes(data, window.At(at), size);
  // Zeros of the page guard may be among what was copied: again, by a call that names the error.
  return window.poisoned() ? disk_.MoveSome(piece, data, at, size) : Moved{size, Status::Ok()};
}

Moved MappedStrategy::MoveInWindow(const Piece& piece, uint8_t* data, MediumOffset at, size_t size) {
  auto acquired = windows_.Acquire(at, piece.lane);
  // All of the rest, not this window's part alone (B33).
  if (!acquired.ok()) return disk_.MoveSome(piece, data, at, size);
  const WindowRef window = acquired.Take();
  size = std::min(size, window.RoomFrom(at));
  if (piece.cancel != nullptr) size = std::min<size_t>(size, kSegmentSize);
  if (window.poisoned()) return disk_.MoveSome(piece, data, at, size);

  if (piece.operation == Operation::kRead) return ReadInWindow(piece, window, data, at, size);
  CopyBytes(window.At(at), data, size);
  if (window.poisoned()) {
    // First whether the file still reaches there: pwrite would make it longer again, and hide what was lost.
    const Status stored = disk_.CheckStored(at, size);
    return stored.ok() ? disk_.MoveSome(piece, data, at, size) : Moved{0, stored};
  }
  // The bytes did move; that they are not durable is the error.
  return {size, disk_.Stored(window, at, size, piece)};
}

}  // namespace blk
