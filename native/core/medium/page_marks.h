// PageMarks: which blocks of a range of bytes were written, a bit a block of at least 4 KiB; larger ones of a range
// that would need too many. Says too much, never too little: a block that was touched is marked as a whole, one that
// was freed in part stays marked. Thread-safe. Who marks does so behind the bytes, who unmarks before they are freed:
// then bytes that are written while their block is freed are marked, or gone.
#ifndef RUMPBLK_CORE_MEDIUM_PAGE_MARKS_H_
#define RUMPBLK_CORE_MEDIUM_PAGE_MARKS_H_

#include <algorithm>
#include <bit>
#include <cstdint>

#include "core/base/units.h"
#include "core/base/zeroed_array.h"

namespace blk {

class PageMarks {
 public:
  // Of [0, size). Errors: std::bad_alloc.
  explicit PageMarks(uint64_t size)
      : shift_(size == 0 ? kLeastShift : ShiftFor({{0}, {size}}, kLeastShift, kMostBlocks)),
        words_(static_cast<size_t>((size >> shift_) / 64 + 1)) {}

  // Marks what [begin, begin + size) touches.
  void Mark(uint64_t begin, uint64_t size) {
    if (size == 0) return;
    const uint64_t last = (begin + size - 1) >> shift_;
    for (uint64_t block = begin >> shift_; block <= last; block++) {
      std::atomic<uint64_t>& word = words_[static_cast<size_t>(block / 64)];
      const uint64_t bit = uint64_t{1} << (block % 64);
      // Most writes find their mark: that costs a look, and no line is taken from other threads.
      if ((word.load(std::memory_order_relaxed) & bit) == 0) word.fetch_or(bit, std::memory_order_release);
    }
  }
  // Unmarks what lies in [begin, end) as a whole.
  void Unmark(uint64_t begin, uint64_t end) {
    const uint64_t last = end >> shift_;
    for (uint64_t block = (begin + (uint64_t{1} << shift_) - 1) >> shift_; block < last;) {
      const uint64_t next = std::min(last, (block / 64 + 1) * 64);
      const uint64_t bits = (~uint64_t{0} >> (64 - (next - block))) << (block % 64);
      std::atomic<uint64_t>& word = words_[static_cast<size_t>(block / 64)];
      if ((word.load(std::memory_order_relaxed) & bits) != 0) word.fetch_and(~bits, std::memory_order_acq_rel);
      block = next;
    }
  }
  bool Marked(uint64_t at) const {
    const uint64_t block = at >> shift_;
    return (words_[static_cast<size_t>(block / 64)].load(std::memory_order_acquire) >> (block % 64) & 1) != 0;
  }
  // How far what begins at `at` is as Marked(at) says, up to `end` and no further than it takes long to look.
  // REQUIRES: at < end, both inside the range.
  uint64_t EndOfRun(uint64_t at, uint64_t end) const {
    const bool marked = Marked(at);
    const uint64_t first = at >> shift_;
    const uint64_t last = std::min(((end - 1) >> shift_) + 1, first + kMostLooked);
    for (uint64_t block = first; block < last; block = (block / 64 + 1) * 64) {
      const uint64_t word = words_[static_cast<size_t>(block / 64)].load(std::memory_order_acquire);
      const uint64_t others = (marked ? ~word : word) >> (block % 64);
      if (others == 0) continue;
      const uint64_t found = block + static_cast<uint64_t>(std::countr_zero(others));
      return std::min(end, std::min(last, found) << shift_);
    }
    return std::min(end, last << shift_);
  }

 private:
  static constexpr unsigned kLeastShift = 12;
  static constexpr uint64_t kMostBlocks = uint64_t{1} << 28;  // 32 MiB of bits; up to 1 TiB a block is 4 KiB
  static constexpr uint64_t kMostLooked = uint64_t{1} << 24;

  const unsigned shift_;
  const ZeroedArray<uint64_t> words_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_PAGE_MARKS_H_
