#include "core/request/disk_channel.h"

#include <cassert>

#include "core/base/denied.h"
#include "core/medium/medium_windows.h"

namespace blk {

Moved DiskChannel::MoveSome(const Piece& piece, uint8_t* data, MediumOffset at, size_t size) {
  if (piece.operation == Operation::kRead) return channel_.Read(at, data, size, {false, piece.nowait, piece.cancel});
  // Larger ones would sync after each segment, where one sync behind all of them does.
  if (piece.durable && durable_calls_ && size <= kSegmentSize) return WriteDurable(piece, data, at, size);
  Moved moved = channel_.Write(at, data, size, {false, false, piece.cancel});
  // Also of a write that failed half-way: what moved is with the host and not on the medium.
  if (moved.bytes > 0) flush_.MarkDirty();
  // Before the piece completes (B20), and through O_DIRECT as well: the disk's own cache is to be emptied (B38).
  if (moved.status.ok() && piece.durable) moved.status = Sync(piece.lane);
  return moved;
}

Moved DiskChannel::Move(const Piece& piece, MediumOffset at, size_t size) {
  if (!piece.durable || (piece.first && piece.last)) return MoveSome(piece, piece.data, at, size);
  Piece part = piece;
  part.durable = false;
  Moved moved = MoveSome(part, piece.data, at, size);
  if (moved.status.ok() && piece.last) moved.status = Sync(piece.lane);
  return moved;
}

// The data goes through and is synced in one call, which leaves alone what else of the file is dirty (B45).
Moved DiskChannel::WriteDurable(const Piece& piece, const uint8_t* data, MediumOffset at, size_t size) {
  const Moved moved = channel_.Write(at, data, size, {true, false, piece.cancel});
  const int err = moved.status.err;
  if (moved.bytes > 0) counters_.Add(Counter::kFlushes, 1, piece.lane);
  if (err == 0 || err == ECANCELED) return moved;
  if (err == EINTR || err == ENOTCONN || err == ESTALE) {
    // What it wrote last may be there without its sync. Of a connection that is lost, the error knows more than that of
    // a second try would.
    flush_.MarkDirty();
    return moved;
  }
  // An error of the medium is told once; a second try would find clean pages and succeed.
  if (err == EIO) return {moved.bytes, flush_.Fail(moved.status)};
  Moved rest =
      channel_.Write({at.value + moved.bytes}, data + moved.bytes, size - moved.bytes, {false, false, piece.cancel});
  if (rest.bytes > 0) flush_.MarkDirty();
  // A host that denies every write, and not this call alone, says so again.
  const bool no_such_call = err == EOPNOTSUPP || err == ENOSYS || err == EINVAL || MayBeDenied(err);
  // Several threads may find out at once, and all say the same.
  if (no_such_call && rest.status.ok()) durable_calls_ = false;
  // It was the sync that failed, not the write: the error may be that of earlier writes, and the host tells it once.
  if (rest.status.ok() && !no_such_call) rest.status = flush_.Fail({err, Op::kFdatasync});
  if (rest.status.ok()) rest.status = Sync(piece.lane);
  return {moved.bytes + rest.bytes, rest.status};
}

Moved DiskChannel::Apply(const Piece& piece, MediumOffset at, size_t size) {
  PieceRules rules;
  rules.cancel = piece.cancel;
  rules.keep_room = piece.keep_room;
  rules.fast = piece.fast;
  Moved moved;
  switch (piece.operation) {
    case Operation::kFlush: return {size, Sync(piece.lane)};
    case Operation::kPrefetch: return channel_.Prefetch(at, size), Moved{size, Status::Ok()};
    case Operation::kDiscard: moved = channel_.Discard(at, size, rules); break;
    case Operation::kZero: moved = channel_.Zero(at, size, rules); break;
    case Operation::kCopy: moved = channel_.Copy(at, size, *piece.source, rules); break;
    case Operation::kRead:
    case Operation::kWrite: assert(false); break;
  }
  // What failed half-way may have changed bytes that it does not count, unless it refused to begin.
  const bool refused = moved.bytes == 0 && moved.status.err == EOPNOTSUPP;
  if (moved.bytes > 0 || (!moved.status.ok() && !refused)) flush_.MarkDirty();
  if (moved.status.ok() && piece.durable) moved.status = Sync(piece.lane);
  return moved;
}

bool DiskChannel::Starts(const StartedMove& move) {
  const bool syncs = move.rules.durable && move.kind == StartedMove::Kind::kWrite && !starts_durable_;
  return !syncs && channel_.Starts(move);
}

bool DiskChannel::Start(StartedPiece& piece) {
  if (!Starts(piece.move)) return false;
  channel_.Start(piece.move);
  return true;
}

Moved DiskChannel::FinishMove(const Piece& piece, const Moved& moved) {
  if (piece.operation == Operation::kRead || moved.bytes == 0) return moved;
  if (!piece.durable) return flush_.MarkDirty(), moved;
  counters_.Add(Counter::kFlushes, 1, piece.lane);
  if (moved.status.ok()) return moved;
  // What it wrote last may be there without its sync. An error of the medium is told once.
  flush_.MarkDirty();
  return moved.status.err == EIO ? Moved{moved.bytes, flush_.Fail(moved.status)} : moved;
}

Status DiskChannel::CheckStored(MediumOffset at, size_t size) {
  const Status status = channel_.CheckReaches({at.value + size});
  if (status.ok()) return status;
  flush_.NoteLoss({at, {at.value + size}});
  return flush_.Fail(status);
}

Status DiskChannel::SyncAll() {
  const Status status = channel_.Sync();
  if (!status.ok()) return status;
  // After the sync, which may be what meets the page that cannot be written.
  const MediumSpan lost = flush_.LostStores();
  // Only windows lose stores.
  return lost.empty() ? status : channel_.windows()->WhyLost(lost);
}

Status DiskChannel::Sync(Lane lane) {
  bool reached_host = false;
  Status status = flush_.Sync([this] { return SyncAll(); }, &reached_host);
  if (reached_host) counters_.Add(Counter::kFlushes, 1, lane);
  return status;
}

}  // namespace blk
