// PioStrategy: serves pieces by reads and writes of the medium. The access of nodes and of `access: 'pio'`, and of
// media that have no windows. Thread-safe.   Model: rumpblk.c r1.31 lines 659-722, with loops over short transfers
// (B40).
#ifndef RUMPBLK_CORE_ACCESS_PIO_STRATEGY_H_
#define RUMPBLK_CORE_ACCESS_PIO_STRATEGY_H_

#include "core/request/disk_channel.h"
#include "core/request/strategy.h"

namespace blk {

class PioStrategy final : public BoundedStrategy {
 public:
  // `disk` outlives this object's requests.
  PioStrategy(const DeviceRange& range, DiskChannel& disk) : BoundedStrategy(range), disk_(disk) {}

  void Kick() override { disk_.channel().Kick(); }

 protected:
  Moved Move(const Piece& piece, MediumOffset at, size_t size) override { return disk_.Move(piece, at, size); }
  Moved Apply(const Piece& piece, MediumOffset at, size_t size) override { return disk_.Apply(piece, at, size); }
  bool StartsMove(const Piece& piece, MediumOffset at) override { return disk_.Starts(piece, at); }
  bool StartMove(StartedPiece& piece, MediumOffset at) override { return disk_.Start(piece, at); }

 private:
  DiskChannel& disk_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_ACCESS_PIO_STRATEGY_H_
