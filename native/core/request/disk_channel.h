// DiskChannel: one open's channel, with what its disk knows of durability: moves pieces, marks what they write as
// dirty, and makes durable what has to be. Whichever access asks, here a write becomes durable: by the medium's own
// durable writes, by the sync of a window that was stored to, or by a sync that serves all who wait. Thread-safe.
// Model: rumpblk.c r1.31 lines 659-722: completion after the sync (B20), also of O_DIRECT (B38).
#ifndef RUMPBLK_CORE_REQUEST_DISK_CHANNEL_H_
#define RUMPBLK_CORE_REQUEST_DISK_CHANNEL_H_

#include <atomic>

#include "core/base/counters.h"
#include "core/medium/channel.h"
#include "core/request/flush_state.h"
#include "core/request/piece.h"
#include "core/request/started_piece.h"
#include "core/window/window.h"

namespace blk {

class DiskChannel {
 public:
  // How a durable write is made so: by a sync that serves all who wait, or by a call that syncs its own bytes.
  enum class Durable : uint8_t { kBySync, kPerCall };

  // What is given outlives this object's requests.
  DiskChannel(Channel& channel, FlushState& flush, Counters& counters, Durable durable = Durable::kBySync)
      : channel_(channel),
        flush_(flush),
        counters_(counters),
        starts_(StartedBy(channel)),
        starts_durable_(durable == Durable::kPerCall && channel.durable_writes()),
        durable_calls_(durable == Durable::kPerCall && channel.durable_writes()) {}

  // Moves the part of `piece` that starts at `data`, and makes it durable if the piece is. Marks what it writes as
  // dirty. Counts syncs, but no bytes: BoundedStrategy does. Errors: the medium's · EIO it ends before · ECANCELED ·
  // those of IsUndone(), nothing moved · the sync's, which sticks.   Thread: any.   REQUIRES: [at, at + size) lies
  // inside the disk.
  Moved MoveSome(const Piece& piece, uint8_t* data, MediumOffset at, size_t size);

  // The same for all that `piece` has: of a request in parts, its last one makes all of them durable.
  Moved Move(const Piece& piece, MediumOffset at, size_t size);

  // Does what moves no bytes of the caller's: makes everything durable, discards, makes zeros or prefetches
  // [at, at + size). What changes bytes is dirty then, and durable zeros are synced.
  // Errors: the medium's · ECANCELED · the sync's, which sticks.   Thread: any.
  Moved Apply(const Piece& piece, MediumOffset at, size_t size);

  // Whether Start() would begin the piece. Of this moment.   Thread: any.
  bool Starts(const Piece& piece, MediumOffset at);
  // Begins what Move() and Apply() do from `at` on, and calls piece.answered when it is done, behind the sync where one
  // has to follow. -> false where Starts() is: nothing has begun.   Thread: any.
  bool Start(StartedPiece& piece, MediumOffset at);
  // What the channel may answer later. Fixed.
  OperationSet starts() const { return starts_; }
  // Whether a read is tried first. Fixed.
  bool tells_memory() const { return channel_.tells_memory(); }
  // Whether Start() may begin pieces of these terms, and what has to follow them. Fixed.
  bool MayStart(const Terms& terms) const {
    const bool syncs = terms.durable && terms.operation != Operation::kRead &&
                       !(terms.operation == Operation::kWrite && starts_durable_);
    return starts_.Has(terms.operation) && (!syncs || starts_.Has(Operation::kFlush));
  }

  // What a piece gets that was stored into a window: EIO, for good, when the medium has come to end before it. Then the
  // host dropped the bytes, which is noted, and no later write may make up for it by growing the file again.
  Status CheckStored(MediumOffset at, size_t size);

  // What was stored into [at, at + size) of a window for a write: dirty from here on, or durable if the piece is.
  // Counts the sync. Errors: those of CheckStored() · the sync's; each sticks.   Thread: any.
  // REQUIRES: the window was not poisoned when the bytes were in it.
  Status Stored(const WindowRef& window, MediumOffset at, size_t size, const Piece& piece);

  // Makes everything written so far durable, by all opens of the disk, unless it is. Counts a sync that reached the
  // medium.
  // Errors: the sync's · what WhyLost() says of stores that leases have lost, although the sync itself went well. Each
  // sticks.   Thread: any; it waits for the disk, or for the sync of somebody else.
  Status Sync(Lane lane);

  Channel& channel() const { return channel_; }

 private:
  static OperationSet StartedBy(const Channel& channel);
  // Fills in the move of a piece from `at` on: all but who is told of its end.
  void ToMove(const Piece& piece, MediumOffset at, StartedMove& move) const;
  // Whether a started piece is durable by a sync behind its move.
  bool SyncsBehind(const Piece& piece) const;
  static void OnMoved(StartedMove& move, const Moved& moved);
  // Marks what a started move has changed as dirty, counts and remembers what a durable write says. -> what has moved.
  Moved TakeMoved(const Piece& piece, const Moved& moved);
  // Makes everything durable, and answers the piece.
  void StartSync(StartedPiece& piece);
  // Marks what a discard or zeros have changed as dirty.
  void MarkChanged(const Moved& moved);
  // What a sync cannot know: stores that never reached the page cache.
  Status BehindSync(Status synced);
  // By the medium's durable write; falls back to a write and Sync(), for good when the medium has no such call.
  Moved WriteDurable(const Piece& piece, const uint8_t* data, MediumOffset at, size_t size);

  Channel& channel_;
  FlushState& flush_;
  Counters& counters_;
  const OperationSet starts_;
  const bool starts_durable_;        // whether a started write is durable by itself
  std::atomic<bool> durable_calls_;  // cleared for good when the medium turns out not to have them
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_DISK_CHANNEL_H_
