// StartedPiece: a piece that Strategy::Start() begins and that may be complete later than that returns, with room for
// the transfer that a channel makes of it. Plain data, used by one thread at a time.
#ifndef RUMPBLK_CORE_REQUEST_STARTED_PIECE_H_
#define RUMPBLK_CORE_REQUEST_STARTED_PIECE_H_

#include "core/medium/channel.h"
#include "core/request/piece.h"

namespace blk {

class BoundedStrategy;

// Whoever makes it keeps it, and its memory, until `finish` is called.
struct StartedPiece : Piece {
  // Called once, behind Biodone(), by any thread, perhaps before Start() has returned; *this may be gone when it
  // returns. It does not wait: other answers may stand behind it.
  void (*finish)(StartedPiece& piece) = nullptr;
  void* owner = nullptr;  // for `finish`

  // A filter chain's, from its Start() on: what `finish` was, and the chain itself.
  void (*filtered)(StartedPiece& piece) = nullptr;
  const void* chain = nullptr;
  // The strategy's, from Start() on.
  BoundedStrategy* strategy = nullptr;
  StartedMove move;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_STARTED_PIECE_H_
