// Strategy: takes one piece and finishes it. BoundedStrategy is what all access modes have in common: it answers and
// counts, and hands the bytes to the mode's own Move(). A FilterChain puts filters before it.
// Thread-safe: Submit() may run on any number of threads at once. Submit() completes the piece before it returns.
// Model: d_strategy, in device coordinates (B2).
#ifndef RUMPBLK_CORE_REQUEST_STRATEGY_H_
#define RUMPBLK_CORE_REQUEST_STRATEGY_H_

#include "core/base/moved.h"
#include "core/base/units.h"
#include "core/request/device_range.h"
#include "core/request/filter.h"
#include "core/request/piece.h"
#include "core/request/started_piece.h"

namespace blk {

class Strategy {
 public:
  // No piece may be under way.
  virtual ~Strategy() = default;

  // What the filters before it want of who makes requests and pieces. Fixed.
  virtual FilterTraits filters() const { return {}; }

  // Passes a planned request by the filters, as Filter::Admit() says.
  virtual void Admit(Request& request) { static_cast<void>(request); }

  // Does `piece` and completes it, once: moved and status are set on return.
  // Errors in piece.status: EROFS guarded · EIO, ENOSPC and the host's others · ECANCELED · those of IsUndone().
  // Thread: any; it waits for the disk unless the piece says otherwise.   Source: d_strategy, strategy(9).
  // REQUIRES: the plan of its request lets it run.
  virtual void Submit(Piece& piece) = 0;

  // Whether Start() would be answered later, of a piece whose `finish` is not looked at. Of this moment.   Thread: any.
  virtual bool Starts(const Piece& piece) { return static_cast<void>(piece), false; }
  // Begins `piece`, as Submit() does it, and returns; what is complete is finished, here or later from another thread.
  // Later only where Starts() says so.   Thread: any; it waits where Submit() would and Starts() says no.   REQUIRES:
  // as Submit(), and a piece of its own that waits for nothing: not `nowait`; its lane is kSharedLane.
  virtual void Start(StartedPiece& piece) {
    Submit(piece);
    piece.finish(piece);
  }

  // Sends on its way what was started with piece.more, and may have stayed.   Thread: any; it does not wait.
  virtual void Kick() {}

  // Hints that `piece` is submitted soon, so that its bytes can be on their way meanwhile. Changes nothing that anybody
  // sees: it may never come.   Thread: any.   REQUIRES: as Submit().
  virtual void Expect(const Piece& piece) { static_cast<void>(piece); }
  // Whether Expect() does anything. Fixed.
  virtual bool expects() const { return false; }
};

// The innermost strategy: what is the same for every access mode. Submit() is final so that no mode forgets a rule.
class BoundedStrategy : public Strategy {
 public:
  // What `range` points to outlives this object.
  explicit BoundedStrategy(const DeviceRange& range) : range_(range) {}

  // Answers a durable write with the sticky sync error if there is one, and counts what was done. The error when it
  // runs, not when it is planned: a sync may have failed since.
  void Submit(Piece& piece) final;

  bool Starts(const Piece& piece) final;
  void Start(StartedPiece& piece) final;

  // Passes on a read.
  void Expect(const Piece& piece) final;

 protected:
  // Moves `size` bytes between piece.data and the medium from `at` on; a durable write is on the medium when it
  // returns. The range lies inside the device, and size is not 0.   Thread: any.
  virtual Moved Move(const Piece& piece, MediumOffset at, size_t size) = 0;
  // Does what moves no bytes of the caller's: a flush, a discard, zeros, a prefetch of `size` bytes from `at` on, which
  // lie inside the device; size is not 0.   Thread: any.
  virtual Moved Apply(const Piece& piece, MediumOffset at, size_t size) = 0;
  // Whether StartMove() would begin the piece. Of this moment.
  virtual bool StartsMove(const Piece& piece, MediumOffset at) {
    return static_cast<void>(piece), static_cast<void>(at), false;
  }
  // Begins to do either, and calls piece.answered when it is done. -> false when the access or the medium does not
  // answer that later: nothing has begun.
  virtual bool StartMove(StartedPiece& piece, MediumOffset at) {
    return static_cast<void>(piece), static_cast<void>(at), false;
  }
  // Hints that `size` bytes from `at` on, inside the device, are read soon.   Thread: any; never waits.
  virtual void ExpectRead(MediumOffset at, size_t size) {
    static_cast<void>(at);
    static_cast<void>(size);
  }

  const DeviceRange& range() const { return range_; }

 private:
  // What a piece calls that was answered.   Thread: the medium's; it does not wait.
  static void OnAnswered(StartedPiece& piece, const Moved& moved);
  // Whether a durable write may still be tried: the sticky sync error.
  Status MayBegin(const Piece& piece) const {
    return piece.durable && Mutates(piece.operation) ? range_.flush->sticky() : Status::Ok();
  }
  // What moved, not what was asked for (B14, B43); also of a piece that failed half-way.
  void Count(const Piece& piece, const Moved& moved);
  // The same of what Apply() did.
  void CountApplied(const Piece& piece, const Moved& moved);

  const DeviceRange range_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_STRATEGY_H_
