// ByteRange: bytes [begin, end) of a medium.
#ifndef RUMPBLK_CORE_LABEL_BYTE_RANGE_H_
#define RUMPBLK_CORE_LABEL_BYTE_RANGE_H_

#include <cstdint>

namespace blk {

struct ByteRange {
  uint64_t begin = 0;
  uint64_t end = 0;

  uint64_t size() const { return end - begin; }
  bool Overlaps(uint64_t from, uint64_t to) const { return from < end && begin < to; }
};

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_BYTE_RANGE_H_
