// ChangeMarks: which parts of a disk were changed since it was made: a bit for each 64 KiB. Marked by any thread
// without a lock; looked at while nobody marks.
#ifndef RUMPBLK_CORE_IMAGE_CHANGE_MARKS_H_
#define RUMPBLK_CORE_IMAGE_CHANGE_MARKS_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "core/base/units.h"

namespace blk {

class ChangeMarks {
 public:
  // Of a disk of `size` bytes. Throws std::bad_alloc.
  explicit ChangeMarks(uint64_t size) : size_(size), words_(static_cast<size_t>((size >> kShift) / 64 + 1)) {}

  // Bytes [at, end) of the disk. REQUIRES: at < end.
  void Mark(uint64_t at, uint64_t end) {
    for (uint64_t part = at >> kShift; part <= (end - 1) >> kShift; part++) {
      words_[static_cast<size_t>(part / 64)].fetch_or(uint64_t{1} << part % 64, std::memory_order_relaxed);
    }
  }
  // The first marked stretch at `from` or behind it; empty, at the end of the disk, when there is none.
  MediumSpan Next(uint64_t from) const {
    uint64_t part = from >> kShift;
    const uint64_t parts = ((size_ - 1) >> kShift) + 1;
    while (part < parts && !IsMarked(part)) part++;
    uint64_t end = part;
    while (end < parts && IsMarked(end)) end++;
    return {{std::min(size_, std::max(from, part << kShift))}, {std::min(size_, end << kShift)}};
  }

 private:
  static constexpr unsigned kShift = 16;

  bool IsMarked(uint64_t part) const {
    return (words_[static_cast<size_t>(part / 64)].load(std::memory_order_relaxed) >> part % 64 & 1) != 0;
  }

  const uint64_t size_;
  std::vector<std::atomic<uint64_t>> words_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_CHANGE_MARKS_H_
