// What of a batch's arena goes to and from a copy of it: the bytes that its entries write, and those that they have
// read. Ranges outside the arena are skipped, as the run refuses them.
#ifndef RUMPBLK_ADDON_BATCH_MEMORY_H_
#define RUMPBLK_ADDON_BATCH_MEMORY_H_

#include <cstddef>
#include <cstdint>

#include "core/host/copy.h"
#include "core/request/batch.h"

namespace blk_addon {

// Copies the bytes of the first `count` entries that are `op`, `size(i)` of each.
template <typename Size>
void CopyEntries(uint8_t* to, const uint8_t* from, size_t arena_size, const blk::BatchArrays& arrays, uint32_t count,
                 blk::BatchOp op, Size&& size) {
  for (uint32_t i = 0; i < count; i++) {
    const uint64_t end = uint64_t{arrays.offset[i]} + arrays.bcount[i];
    if (end > arena_size || static_cast<blk::BatchOp>(arrays.op[i]) != op) continue;
    blk::CopyBytes(to + arrays.offset[i], from + arrays.offset[i], size(i));
  }
}

// All that entries of `op` ask for.
inline void CopyAsked(uint8_t* to, const uint8_t* from, size_t arena_size, const blk::BatchArrays& arrays,
                      uint32_t count, blk::BatchOp op) {
  CopyEntries(to, from, arena_size, arrays, count, op, [&](uint32_t i) { return arrays.bcount[i]; });
}
// What entries have read. REQUIRES: they have an outcome.
inline void CopyRead(uint8_t* to, const uint8_t* from, size_t arena_size, const blk::BatchArrays& arrays,
                     uint32_t count) {
  CopyEntries(to, from, arena_size, arrays, count, blk::BatchOp::kRead,
              [&](uint32_t i) { return arrays.bcount[i] - arrays.resid[i]; });
}

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_BATCH_MEMORY_H_
