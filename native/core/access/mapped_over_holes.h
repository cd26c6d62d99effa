// MappedOverHoles: a MappedStrategy for media whose holes take room when they are read through a mapping, as on tmpfs:
// what is not in memory is read by the medium's own reads. Thread-safe.
#ifndef RUMPBLK_CORE_ACCESS_MAPPED_OVER_HOLES_H_
#define RUMPBLK_CORE_ACCESS_MAPPED_OVER_HOLES_H_

#include "core/access/mapped_strategy.h"
#include "core/access/residency.h"

namespace blk {

class MappedOverHoles final : public MappedStrategy {
 public:
  // `windows` and `disk` outlive this object.
  MappedOverHoles(const DeviceRange& range, WindowCache& windows, DiskChannel& disk)
      : MappedStrategy(range, windows, disk),
        residency_(*disk.channel().windows(), range.begin, {range.begin.value + range.size}) {}

 protected:
  Moved ReadInWindow(const Piece& piece, const WindowRef& window, uint8_t* data, MediumOffset at,
                     size_t size) override {
    // Now, not a moment ago: it may have been punched since.
    if (!residency_.Ask(window, at.value, size)) return disk().MoveSome(piece, data, at, size);
    return MappedStrategy::ReadInWindow(piece, window, data, at, size);
  }

 private:
  Residency residency_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_ACCESS_MAPPED_OVER_HOLES_H_
