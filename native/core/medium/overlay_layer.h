// OverlayLayer: what an overlay has of its own since it was made, or since a snapshot: which blocks, and their bytes.
// Layers lie on one another, the lowest one on the base; those below the top are a snapshot's and do not change.
// Thread-safe for looking; who changes a layer has the locks that overlay_store.h tells of.
#ifndef RUMPBLK_CORE_MEDIUM_OVERLAY_LAYER_H_
#define RUMPBLK_CORE_MEDIUM_OVERLAY_LAYER_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "core/medium/block_map.h"
#include "core/medium/overlay_delta.h"

namespace blk {

// The blocks of an overlay.
struct OverlayBlocks {
  uint64_t size = 0;   // bytes of the disk; the last block may be cut by it
  unsigned shift = 0;  // a block has 2^shift bytes

  uint64_t count() const { return size == 0 ? 0 : ((size - 1) >> shift) + 1; }
  uint64_t At(uint64_t position) const { return position >> shift; }
  // Those that [from, end) touches end before this one.   REQUIRES: from < end.
  uint64_t EndAt(uint64_t end) const { return ((end - 1) >> shift) + 1; }
  uint64_t Begin(uint64_t block) const { return block << shift; }
  // Where the blocks before `block` end.
  uint64_t End(uint64_t block) const { return block << shift < size ? block << shift : size; }
};

class OverlayLayer {
 public:
  OverlayLayer(std::unique_ptr<OverlayDelta> delta, const OverlayBlocks& blocks)
      : map(blocks.count()), delta_(std::move(delta)) {}
  // From the top down, and not each inside the one above: there may be many.
  ~OverlayLayer() {
    while (below && below.use_count() == 1) {
      // The last one to have it: nobody else can come by it any more.
      std::shared_ptr<OverlayLayer> next = std::move(below->below);
      below = std::move(next);
    }
  }
  OverlayLayer(const OverlayLayer&) = delete;
  OverlayLayer& operator=(const OverlayLayer&) = delete;

  Channel& bytes() const { return delta_->channel(); }
  void Free(MediumSpan span) const { delta_->Free(span); }
  // Nothing of its own any more. Gives back the room.   REQUIRES: nobody else uses it meanwhile.
  void Empty(const OverlayBlocks& blocks) {
    const auto [first, end] = map.touched();
    if (first < end) Free({{blocks.Begin(first)}, {blocks.End(end)}});
    map.Clear();
  }

  BlockMap map;
  std::shared_ptr<OverlayLayer> below;  // null: the base

 private:
  const std::unique_ptr<OverlayDelta> delta_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_OVERLAY_LAYER_H_
