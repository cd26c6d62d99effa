// Piece: what of a planned request is run in one go, all of it inside the device: the struct buf that the kernel hands
// to d_strategy. Whoever makes it owns it; Strategy::Submit() fills in the outcome before it returns. Plain data, used
// by one thread at a time.   Model: struct buf of NetBSD's sys/buf.h, the fields that rumpblk.c r1.31 uses.
#ifndef RUMPBLK_CORE_REQUEST_PIECE_H_
#define RUMPBLK_CORE_REQUEST_PIECE_H_

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "core/base/counters.h"
#include "core/base/status.h"
#include "core/request/operation.h"

namespace blk {

class Decision;
struct BatchGroup;
struct CopySource;
class RequestLog;

// What a request and each piece of it have in common, in one word: it is copied from the one to the other.
struct alignas(8) Terms {
  Operation operation = Operation::kRead;
  bool deferred = false;   // B_ASYNC: may complete before it is durable
  bool durable = false;    // a write that is on the medium before it completes
  bool nowait = false;     // a read that ends as IsUndone() says rather than wait for a disk
  bool keep_room = false;  // zeros that the medium must not make by giving up the room
  bool fast = false;       // zeros that are refused, ENOTSUP, where they are not faster than a write of them
  bool for_group = false;  // a flush: for durable writes of a batch alone, and no promise to others
  // Where it counts: a lane that its thread has leased costs less.
  Lane lane = kSharedLane;
};

struct Piece : Terms {
  uint64_t position = 0;    // bytes from the start of the device
  size_t size = 0;          // bytes; 0 at the end of the device
  uint8_t* data = nullptr;  // at least size bytes; only read from by a write; null where !MovesBytes()
  // Of a piece that is run in parts, each a Piece of its own: the first one counts for all of them, the last one makes
  // all of them durable.
  bool first = true;
  bool last = true;
  // Of a read that must not wait: it may for a page of a warm mapping that has left memory.
  bool may_fault = false;
  const std::atomic<bool>* cancel = nullptr;  // set by others to end the piece after its current segment
  CopySource* source = nullptr;               // of kCopy alone
  const Decision* decided = nullptr;          // of its request; null for almost all
  // For logs. What it is a part of, null where nobody says; of an entry of a batch its group, its index, and whether
  // the sync of the group makes it durable; where it came from.
  const void* whole = nullptr;
  BatchGroup* group = nullptr;
  uint32_t entry = 0;
  int32_t stack = -1;
  bool by_group = false;
  // The log that was told of it, and what that knows it by.
  RequestLog* logged = nullptr;
  void* logged_as = nullptr;

  // Filled in by Biodone().
  size_t moved = 0;  // bytes
  Status status;

  size_t resid() const { return size - moved; }
};

// What became of a read that must not wait: EAGAIN, it would have to; EOPNOTSUPP, the host or the access cannot tell.
// Nothing was moved then, or counted: it comes again without `nowait`.
inline bool IsUndone(Status status) { return status.err == EAGAIN || status.err == EOPNOTSUPP; }

// Completes `piece`, once: `moved` bytes went through, then `status` happened. The last thing that is done to it: its
// owner may look from here on (B20).   REQUIRES: moved <= piece.size.
inline void Biodone(Piece& piece, size_t moved, Status status) {
  piece.moved = moved;
  piece.status = status;
}

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_PIECE_H_
