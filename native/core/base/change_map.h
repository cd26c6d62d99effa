// ChangeMap: which blocks of a range of a medium were changed, a bit a block. It may say too much, never too little.
// Thread-safe without locks: any number of threads may mark while others look, take and clear.
#ifndef RUMPBLK_CORE_BASE_CHANGE_MAP_H_
#define RUMPBLK_CORE_BASE_CHANGE_MAP_H_

#include <cstdint>

#include "core/base/units.h"
#include "core/base/zeroed_array.h"

namespace blk {

class ChangeMap {
 public:
  static constexpr uint64_t kLeastBlock = 512, kMostBlock = uint64_t{1} << 30, kUsualBlock = 64 * 1024;

  // Of the blocks of 2^shift bytes that `span` has, counted from its start; nothing is marked. Throws std::bad_alloc.
  ChangeMap(MediumSpan span, unsigned shift);

  const MediumSpan& span() const { return span_; }
  unsigned shift() const { return shift_; }
  uint64_t blocks() const { return blocks_; }

  // Marks every block that [changed] meets. What is marked already costs a look.
  void Mark(MediumSpan changed);
  // Bytes of the blocks that are marked.
  uint64_t bytes() const;
  // The first run of marked blocks at `from` or behind it, cut to the span; empty at its end when there is none.
  MediumSpan NextRun(MediumOffset from) const { return NextRun(from, span_.end); }
  // The same, as far as `to`: no block behind it is looked at.
  MediumSpan NextRun(MediumOffset from, MediumOffset to) const;

  // Moves the marks to `to`, block by block: each is in one of the two at any time.
  // REQUIRES: `to` has the same span and shift.
  void MoveTo(ChangeMap& to);
  // Takes all marks away.
  void Clear();

  // Marks as bits of `bytes`, the lowest bit of a byte first, from block `first` on: marks what is set there, and puts
  // there what is marked; what lies behind the last block is no block, and 0.   REQUIRES: first and size are multiples
  // of 64 and 8.
  void MarkBits(uint64_t first, const uint8_t* bytes, size_t size);
  void PutBits(uint64_t first, uint8_t* bytes, size_t size) const;

 private:
  static constexpr uint64_t kBits = 64;

  uint64_t BlockAt(uint64_t position) const { return (position - span_.begin.value) >> shift_; }
  uint64_t words() const { return (blocks_ + kBits - 1) / kBits; }

  const MediumSpan span_;
  const unsigned shift_;
  const uint64_t blocks_;
  const ZeroedArray<uint64_t> words_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_CHANGE_MAP_H_
