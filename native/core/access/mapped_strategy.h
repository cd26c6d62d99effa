// MappedStrategy: serves pieces by copying to and from mapped windows, one window at a time, as the seed does: the
// access of `access: 'mmap'`. A durable write is msync'ed piece by piece. What a window cannot serve goes to pread and
// pwrite: a mapping that fails, a page that the host could not give. Thread-safe.   Model: rumpblk.c r1.31 lines
// 621-657; B32 (page-aligned msync), B33 (fallback), B34 (SIGBUS).
#ifndef RUMPBLK_CORE_ACCESS_MAPPED_STRATEGY_H_
#define RUMPBLK_CORE_ACCESS_MAPPED_STRATEGY_H_

#include "core/request/disk_channel.h"
#include "core/request/strategy.h"
#include "core/window/window_cache.h"

namespace blk {

class MappedStrategy : public BoundedStrategy {
 public:
  // `windows` and `disk` outlive this object.
  MappedStrategy(const DeviceRange& range, WindowCache& windows, DiskChannel& disk)
      : BoundedStrategy(range), windows_(windows), disk_(disk) {}

 protected:
  Moved Move(const Piece& piece, MediumOffset at, size_t size) override;
  Moved Apply(const Piece& piece, MediumOffset at, size_t size) override { return disk_.Apply(piece, at, size); }

  // A copy from `window`, or what serves in its place.   REQUIRES: the window holds [at, at + size), and is sound.
  virtual Moved ReadInWindow(const Piece& piece, const WindowRef& window, uint8_t* data, MediumOffset at, size_t size);

  DiskChannel& disk() { return disk_; }

 private:
  // Moves what of [at, at + size) lies in the window around `at`; at most a segment when the piece can be cancelled.
  Moved MoveInWindow(const Piece& piece, uint8_t* data, MediumOffset at, size_t size);

  WindowCache& windows_;
  DiskChannel& disk_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_ACCESS_MAPPED_STRATEGY_H_
