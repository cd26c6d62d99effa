// StartedPiece: a piece that Strategy::Start() begins and that may be complete later than that returns, with room for
// the move that a channel makes of it and for the sync behind that. Plain data, used by one thread at a time.
#ifndef RUMPBLK_CORE_REQUEST_STARTED_PIECE_H_
#define RUMPBLK_CORE_REQUEST_STARTED_PIECE_H_

#include "core/medium/channel.h"
#include "core/request/flush_state.h"
#include "core/request/piece.h"

namespace blk {

class BoundedStrategy;
class DiskChannel;

// Whoever makes it keeps it, and its memory, until `finish` is called.
struct StartedPiece : Piece {
  // Called once, behind Biodone(), by any thread, perhaps before Start() has returned; *this may be gone when it
  // returns. It does not wait: other answers may stand behind it.
  void (*finish)(StartedPiece& piece) = nullptr;
  void* owner = nullptr;  // for `finish`
  // Others are started behind it at once, by the same thread, which calls Strategy::Kick() at the end.
  bool more = false;

  // A filter chain's, from its Start() on: what `finish` was, and the chain itself.
  void (*filtered)(StartedPiece& piece) = nullptr;
  const void* chain = nullptr;
  // The strategy's, from Start() on: where the answer of a disk channel goes.
  void (*answered)(StartedPiece& piece, const Moved& moved) = nullptr;
  BoundedStrategy* strategy = nullptr;
  // The disk channel's, from its Start() on.
  DiskChannel* disk = nullptr;
  StartedMove move;
  size_t changed = 0;  // bytes that a sync is about to make durable
  FlushWaiter sync;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_STARTED_PIECE_H_
