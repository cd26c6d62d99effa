#include "core/request/disk_channel.h"

#include <cassert>

#include "core/base/denied.h"
#include "core/medium/medium_windows.h"

namespace blk {
namespace {

// What a channel may begin; the others wait for it.
constexpr Operation kStartedOperations[] = {Operation::kRead, Operation::kWrite, Operation::kFlush, Operation::kDiscard,
                                            Operation::kZero};

// REQUIRES: it is one of these.
StartedMove::Kind MoveOf(Operation operation) {
  switch (operation) {
    case Operation::kRead: return StartedMove::Kind::kRead;
    case Operation::kWrite: return StartedMove::Kind::kWrite;
    case Operation::kDiscard: return StartedMove::Kind::kDiscard;
    case Operation::kZero: return StartedMove::Kind::kZero;
    default: return StartedMove::Kind::kSync;
  }
}

// Of what is neither durable by itself nor a read that must not wait.
PieceRules RulesOf(const Piece& piece) {
  PieceRules rules;
  rules.cancel = piece.cancel;
  rules.keep_room = piece.keep_room;
  rules.fast = piece.fast;
  return rules;
}

}  // namespace

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
  const PieceRules rules = RulesOf(piece);
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
  MarkChanged(moved);
  if (moved.status.ok() && piece.durable) moved.status = Sync(piece.lane);
  return moved;
}

void DiskChannel::MarkChanged(const Moved& moved) {
  // What failed half-way may have changed bytes that it does not count, unless it refused to begin.
  const bool refused = moved.bytes == 0 && moved.status.err == EOPNOTSUPP;
  if (moved.bytes > 0 || (!moved.status.ok() && !refused)) flush_.MarkDirty();
}

OperationSet DiskChannel::StartedBy(const Channel& channel) {
  OperationSet set;
  for (const Operation operation : kStartedOperations) {
    if (channel.starts(MoveOf(operation))) set.Add(operation);
  }
  return set;
}

bool DiskChannel::SyncsBehind(const Piece& piece) const {
  if (!piece.durable || piece.operation == Operation::kFlush) return false;
  return piece.operation == Operation::kWrite ? piece.last && !starts_durable_ : Mutates(piece.operation);
}

void DiskChannel::ToMove(const Piece& piece, MediumOffset at, StartedMove& move) const {
  move.kind = MoveOf(piece.operation);
  move.at = at;
  move.data = piece.data;
  move.size = piece.size;
  move.rules = RulesOf(piece);
  move.rules.durable = piece.durable && piece.operation == Operation::kWrite && starts_durable_;
}

bool DiskChannel::Starts(const Piece& piece, MediumOffset at) {
  if (!MayStart(piece)) return false;
  if (piece.operation == Operation::kFlush) return true;
  StartedMove move;
  ToMove(piece, at, move);
  return channel_.Starts(move);
}

bool DiskChannel::Start(StartedPiece& piece, MediumOffset at) {
  if (!MayStart(piece)) return false;
  piece.disk = this;
  if (piece.operation == Operation::kFlush) {
    piece.changed = piece.size;
    return StartSync(piece), true;
  }
  StartedMove& move = piece.move;
  ToMove(piece, at, move);
  if (!channel_.Starts(move)) return false;
  move.rules.more = piece.more;
  move.finish = OnMoved;
  move.owner = &piece;
  channel_.Start(move);
  return true;
}

void DiskChannel::OnMoved(StartedMove& move, const Moved& moved) {
  StartedPiece& piece = *static_cast<StartedPiece*>(move.owner);
  DiskChannel& disk = *piece.disk;
  const Moved taken = disk.TakeMoved(piece, moved);
  if (!taken.status.ok() || !disk.SyncsBehind(piece)) return piece.answered(piece, taken);
  piece.changed = taken.bytes;
  disk.StartSync(piece);
}

Moved DiskChannel::TakeMoved(const Piece& piece, const Moved& moved) {
  if (piece.operation == Operation::kRead) return moved;
  if (piece.operation != Operation::kWrite) return MarkChanged(moved), moved;
  if (moved.bytes == 0) return moved;
  if (!piece.durable || !starts_durable_) return flush_.MarkDirty(), moved;
  counters_.Add(Counter::kFlushes, 1, piece.lane);
  if (moved.status.ok()) return moved;
  // What it wrote last may be there without its sync. An error of the medium is told once.
  flush_.MarkDirty();
  return moved.status.err == EIO ? Moved{moved.bytes, flush_.Fail(moved.status)} : moved;
}

void DiskChannel::StartSync(StartedPiece& piece) {
  piece.sync.owner = &piece;
  piece.sync.begin = [](FlushWaiter& sync) {
    StartedPiece& its = *static_cast<StartedPiece*>(sync.owner);
    its.move = {};
    its.move.kind = StartedMove::Kind::kSync;
    its.move.owner = &its;
    its.move.finish = [](StartedMove& move, const Moved& moved) {
      StartedPiece& asker = *static_cast<StartedPiece*>(move.owner);
      asker.disk->flush_.Synced(asker.sync, asker.disk->BehindSync(moved.status));
    };
    its.disk->channel_.Start(its.move);
  };
  piece.sync.done = [](FlushWaiter& sync, Status status) {
    StartedPiece& its = *static_cast<StartedPiece*>(sync.owner);
    if (sync.reached_host) its.disk->counters_.Add(Counter::kFlushes, 1, its.lane);
    its.answered(its, {its.changed, status});
  };
  flush_.Start(piece.sync);
}

Status DiskChannel::CheckStored(MediumOffset at, size_t size) {
  const Status status = channel_.CheckReaches({at.value + size});
  if (status.ok()) return status;
  flush_.NoteLoss({at, {at.value + size}});
  return flush_.Fail(status);
}

Status DiskChannel::Stored(const WindowRef& window, MediumOffset at, size_t size, const Piece& piece) {
  if (!piece.durable) return flush_.MarkDirty(), Status::Ok();
  // Of these pages alone: other stores stay dirty, and cost this write nothing (B45).
  Status status = window.Sync(at, size);
  counters_.Add(Counter::kFlushes, 1, piece.lane);
  if (window.poisoned()) {
    // Another page of it was substituted meanwhile: msync may have passed over pages that are none of the file's. What
    // was stored is in the page cache all the same, where fdatasync finds it.
    flush_.MarkDirty();
    status = Sync(piece.lane);
  }
  // Stores behind a new end of the file, but on its last page, meet no fault and no error.
  if (status.ok()) status = CheckStored(at, size);
  if (status.ok()) return status;
  flush_.MarkDirty();
  // Everybody's from here on.
  return flush_.Fail(status);
}

Status DiskChannel::BehindSync(Status synced) {
  if (!synced.ok()) return synced;
  // After the sync, which may be what meets the page that cannot be written.
  const MediumSpan lost = flush_.LostStores();
  // Only windows lose stores.
  return lost.empty() ? synced : channel_.windows()->WhyLost(lost);
}

Status DiskChannel::Sync(Lane lane) {
  bool reached_host = false;
  Status status = flush_.Sync([this] { return BehindSync(channel_.Sync()); }, &reached_host);
  if (reached_host) counters_.Add(Counter::kFlushes, 1, lane);
  return status;
}

}  // namespace blk
