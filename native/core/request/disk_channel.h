// DiskChannel: one open's channel, with what its disk knows of durability: moves pieces, marks what they write as
// dirty, and makes durable what has to be. Whichever access asks, here a write becomes durable, by the medium's own
// durable writes or by a sync that serves all who wait; but for stores through a window, which MappedStrategy syncs by
// msync and tells FlushState of. Thread-safe.   Model: rumpblk.c r1.31 lines 659-722: completion after the sync (B20),
// also of O_DIRECT (B38).
#ifndef RUMPBLK_CORE_REQUEST_DISK_CHANNEL_H_
#define RUMPBLK_CORE_REQUEST_DISK_CHANNEL_H_

#include <atomic>

#include "core/base/counters.h"
#include "core/medium/channel.h"
#include "core/request/flush_state.h"
#include "core/request/piece.h"
#include "core/request/started_piece.h"

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
        starts_durable_(durable == Durable::kPerCall && channel.starts() && channel.durable_writes()),
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

  // Whether Start() would begin it.   Thread: any.
  bool Starts(const StartedMove& move);
  // Begins the transfer of piece.move, which the channel answers later. -> false when it does not, or when a sync would
  // have to follow: nothing has begun.   Thread: any.
  bool Start(StartedPiece& piece);
  // What became of it: marks what it has written as dirty, counts and remembers what a durable write says.
  // Thread: the medium's; it does not wait.
  Moved FinishMove(const Piece& piece, const Moved& moved);
  // Whether any piece may be answered later, and whether a read is tried first. Fixed.
  bool starts() const { return channel_.starts(); }
  bool tells_memory() const { return channel_.tells_memory(); }

  // What a piece gets that was stored into a window: EIO, for good, when the medium has come to end before it. Then the
  // host dropped the bytes, which is noted, and no later write may make up for it by growing the file again.
  Status CheckStored(MediumOffset at, size_t size);

  // Makes everything written so far durable, by all opens of the disk, unless it is. Counts a sync that reached the
  // medium.
  // Errors: the sync's · what WhyLost() says of stores that leases have lost, although the sync itself went well. Each
  // sticks.   Thread: any; it waits for the disk, or for the sync of somebody else.
  Status Sync(Lane lane);

  Channel& channel() const { return channel_; }

 private:
  // The sync, then what a sync cannot know: stores that never reached the page cache.
  Status SyncAll();
  // By the medium's durable write; falls back to a write and Sync(), for good when the medium has no such call.
  Moved WriteDurable(const Piece& piece, const uint8_t* data, MediumOffset at, size_t size);

  Channel& channel_;
  FlushState& flush_;
  Counters& counters_;
  // Fixed, so that no piece of a request has to be synced on the thread of a medium that answers the one before.
  const bool starts_durable_;
  std::atomic<bool> durable_calls_;  // cleared for good when the medium turns out not to have them
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_DISK_CHANNEL_H_
