// What overlays have in common where they list what has changed.
#ifndef RUMPBLK_CORE_MEDIUM_OVERLAY_DIFF_H_
#define RUMPBLK_CORE_MEDIUM_OVERLAY_DIFF_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "core/base/units.h"
#include "core/medium/overlay.h"

namespace blk {

// Bytes that are read and compared or written in one go.
inline constexpr uint64_t kOverlayStep = uint64_t{1} << 20;
// Bytes that Diff() compares before it answers.
inline constexpr uint64_t kMostCompared = uint64_t{16} << 20;

inline bool AllZero(const uint8_t* data, size_t size) {
  return size == 0 || (data[0] == 0 && std::memcmp(data, data + 1, size - 1) == 0);
}

inline std::unique_ptr<uint8_t[]> StepBuffer(uint64_t size) {
  return std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(size));
}

// Adds [from, from + size), which goes on behind what was added last. -> false: `found` is full.
inline bool AddChanged(uint64_t from, uint64_t size, ExtentType type, std::span<MediumExtent> found,
                       Overlay::Changed* changed) {
  MediumExtent* const last = changed->count > 0 ? &found[changed->count - 1] : nullptr;
  if (last != nullptr && last->type == type && last->at.value + last->size == from) {
    last->size += size;
    return true;
  }
  if (changed->count == found.size()) return false;
  found[changed->count++] = {{from}, size, type, 0, kNoHostOffset};
  return true;
}

// Adds those blocks of [from, from + size) in which `mine` is something else than `others`, and moves `changed->next`
// behind what was looked at.
inline void AddDifferences(uint64_t from, uint64_t size, uint64_t block_size, ExtentType type, const uint8_t* mine,
                           const uint8_t* others, std::span<MediumExtent> found, Overlay::Changed* changed) {
  for (uint64_t i = 0; i < size;) {
    const uint64_t end = std::min(AlignDown(from + i, block_size) + block_size - from, size);
    const bool same = std::memcmp(mine + i, others + i, static_cast<size_t>(end - i)) == 0;
    if (!same && !AddChanged(from + i, end - i, type, found, changed)) return;
    i = end;
    changed->next = from + i;
  }
}

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_OVERLAY_DIFF_H_
