// Channel: one open's way to the bytes of a medium: reads and writes pieces, makes them durable, tells where data lies.
// Positions count from the start of the medium. What moved is a prefix, also after an error.
// Thread-safe. Medium::Attach() makes it and keeps it good until Detach().
// Why: whoever moves pieces (access, durability, labels) knows no descriptor, so that a disk need not be a host file.
#ifndef RUMPBLK_CORE_MEDIUM_CHANNEL_H_
#define RUMPBLK_CORE_MEDIUM_CHANNEL_H_

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <span>

#include "core/base/moved.h"
#include "core/base/status.h"
#include "core/base/units.h"
#include "core/host/host_engine.h"
#include "core/medium/extent.h"

namespace blk {

class Channel;
class Counters;
class MediumWindows;
struct HostFile;

// What Channel::Copy() copies from, and what became of it. Whoever makes it keeps the source open meanwhile.
struct CopySource {
  Channel* channel = nullptr;
  MediumOffset at;               // of its first byte
  Counters* counters = nullptr;  // of the driver of the source
  bool clone_only = false;       // blocks are to be shared, or nothing is done
  bool target_is_zero = false;   // the target reads as zeros already: nothing is done for holes

  // Added to by Copy().
  uint64_t holes = 0;   // bytes of what it copied that were holes or zeros
  uint64_t cloned = 0;  // bytes of data that both have in common now
};

// How a piece is to be moved.
struct PieceRules {
  bool durable = false;  // of a write: on the medium when it returns; only where durable_writes() says so
  bool nowait = false;   // of a read: see Read()
  // Set by others to end the transfer after its current segment; may be null.
  const std::atomic<bool>* cancel = nullptr;
  bool keep_room = false;  // of zeros: room for them stays, or is taken
  bool fast = false;       // of zeros: EOPNOTSUPP, and nothing changed, where they are not faster than a write of them
  bool more = false;       // of a move that is started: it may stay where it is until Channel::Kick(), which follows
};

// What a medium can do, as far as it knows without trying.
struct MediumFeatures {
  bool discard = false;       // Discard() gives room back
  bool fast_zero = false;     // zeros that are to be fast are made
  bool extents = false;       // Extents() tells holes from data
  bool durable = false;       // Write() knows `durable`
  uint64_t preferred = 4096;  // bytes: what begins and ends with multiples of it is moved best
  uint64_t minimum = 1;       // bytes: of a part of it that is written the rest has to be read
};

// What Channel::Start() begins and what is answered later. Whoever makes it keeps it, and its memory, until `finish` is
// called.
struct StartedMove {
  enum class Kind : uint8_t { kRead, kWrite, kDiscard, kZero, kSync };

  Kind kind = Kind::kRead;
  MediumOffset at;       // of a sync: not looked at, as the three below
  void* data = nullptr;  // of a read and of a write, which only reads from it
  size_t size = 0;       // bytes
  PieceRules rules;
  // Called once, with what became of it, by any thread, perhaps before Start() has returned; *this may be gone when it
  // returns. It does not wait: other answers may stand behind it.
  void (*finish)(StartedMove& move, const Moved& moved) = nullptr;
  void* owner = nullptr;  // for `finish`

  // A host file's, from Start() on.
  Channel* channel = nullptr;
  size_t moved = 0;            // bytes, by transfers that are over
  unsigned interruptions = 0;  // in a row
  HostTransfer transfer = {};
};

class Channel {
 public:
  virtual ~Channel() = default;

  // Reads all of [at, at + size). With `nowait` all of it or nothing, and only if that waits for no disk: EAGAIN, it
  // would; EOPNOTSUPP, the medium cannot tell.
  // Errors: those, the medium's · EIO it ends before · ECANCELED.   Thread: any; it may wait.
  virtual Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) = 0;
  // Writes all of it. Of a durable one, EOPNOTSUPP, ENOSYS, EINVAL: the medium has no such write; EPERM, EACCES: it may
  // be denied; EIO: what was written may be lost, and so may what was written before.   Thread: any; it may wait.
  virtual Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) = 0;
  // Says that [at, at + size) is not needed any more. Of its whole granules each reads afterwards as before or as
  // zeros; all else is untouched. -> the bytes that were seen to, with the parts of granules at the ends, although
  // nothing is told of these: none where the medium cannot, which is no error.
  // Errors: the medium's · ECANCELED.   Thread: any; it may wait.   REQUIRES: it lies inside the medium.
  virtual Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) {
    return static_cast<void>(at), static_cast<void>(size), static_cast<void>(rules), Moved{};
  }
  // Makes all of [at, at + size) read as zeros, to the byte; `durable` is nobody's here. By writing them, unless the
  // medium knows better.   Errors: those of Write() · EOPNOTSUPP not `fast`.   REQUIRES: it lies inside the medium.
  virtual Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules);
  // Makes [at, at + size) what `source` holds, by the host alone, and holes of it holes. Errors: EOPNOTSUPP the host
  // cannot, or fails on either side: what has not moved is left to reads and writes, which say why · ENOSPC and its
  // like · EIO the medium ends before · ECANCELED.   Thread: any; it may wait.   REQUIRES: both ranges lie inside
  // their media.
  virtual Moved Copy(MediumOffset at, uint64_t size, CopySource& source, const PieceRules& rules) {
    static_cast<void>(at), static_cast<void>(size), static_cast<void>(source), static_cast<void>(rules);
    return {0, {EOPNOTSUPP, Op::kCopy}};
  }
  // The host file that holds the bytes as they are, for Copy(); null of a medium that is none. Fixed.
  virtual const HostFile* host_file() const { return nullptr; }
  // Hints that [at, at + size) is read soon. Never fails, nor waits for bytes.   REQUIRES: it lies inside the medium.
  virtual void Prefetch(MediumOffset at, uint64_t size) noexcept { static_cast<void>(at), static_cast<void>(size); }

  // Makes everything written durable, by whichever channel. An error is told once, but for EINTR, after which it may be
  // asked again; flush_state.h makes it stick.
  virtual Status Sync() = 0;

  // Whether Start() may answer a move of that kind later, from a thread of the medium's own, so that any number of them
  // can be under way without a thread for each. Fixed.
  virtual bool starts(StartedMove::Kind kind) const { return static_cast<void>(kind), false; }
  // Whether it would do so of this move, whose `finish` and `owner` are not looked at. Of this moment.
  virtual bool Starts(const StartedMove& move) { return starts(move.kind); }
  // Whether a read with `nowait` may succeed, so that it is worth trying before a start. Fixed.
  virtual bool tells_memory() const { return false; }
  // Begins a move and returns; never waits for the medium where Starts() says so. What Read(), Write(), Discard(),
  // Zero() and Sync() say of bytes and errors holds for what `finish` is told; a sync has no bytes. Moves that are
  // under way together happen in any order, but for what a sync covers: all that was complete when it began.   Thread:
  // any.
  virtual void Start(StartedMove& move) { move.finish(move, Do(move)); }
  // Sends on its way what was started with rules.more: they go together.   Thread: any; it does not wait.
  virtual void Kick() {}
  // The move in place.   Thread: any; it may wait.
  Moved Do(const StartedMove& move);

  // Asks the host, if there is one.   Thread: any; it may wait for the host.
  virtual MediumFeatures Features() { return {}; }

  // Whether Write() knows `durable`. Fixed.
  virtual bool durable_writes() const { return false; }

  // EIO when the medium has come to end before `end`. Of this moment.
  virtual Status CheckReaches(MediumOffset end) { return static_cast<void>(end), Status::Ok(); }

  // The first stretch in `within` that may hold something else than zeros, empty at its end when there is none. All of
  // it where the medium cannot tell. Of this moment.
  virtual MediumSpan NextData(MediumSpan within) { return within; }

  // Lists what `within` is made of, from its start on: ascending, without gaps, neighbours perhaps of one kind, the
  // last one cut to `within`. -> how many of `found` were filled in: at least one, fewer than it takes where `found` is
  // full or the medium has looked long enough; the next call begins behind the last. kData where the medium cannot
  // tell: a byte that was written before the call is never in a hole. Reads no data, syncs nothing. Errors: ECANCELED ·
  // ENOMEM.   Thread: any; it may wait.   REQUIRES: `within` lies inside the medium; neither is empty.
  virtual Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                                 const PieceRules& rules) {
    static_cast<void>(layer), static_cast<void>(rules);
    found[0] = {within.begin, within.end.value - within.begin.value, ExtentType::kData, 0, kNoHostOffset};
    return size_t{1};
  }

  // The medium as memory; null of one that cannot be mapped. Lives as long as the channel. Fixed.
  virtual MediumWindows* windows() { return nullptr; }
};

// What zeros are written from: never written to, so that it costs no memory.
std::span<const uint8_t> ZeroBytes();

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_CHANNEL_H_
