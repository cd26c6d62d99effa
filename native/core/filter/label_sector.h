// LabelSector: the sector of a medium that holds the label of a disk, and whether partitions of that disk may write
// over it (DIOCWLABEL). Thread-safe: two words, each read and written whole; a write that overlaps with a change of
// either sees the one or the other.
#ifndef RUMPBLK_CORE_FILTER_LABEL_SECTOR_H_
#define RUMPBLK_CORE_FILTER_LABEL_SECTOR_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/base/units.h"

namespace blk {

class LabelSector {
 public:
  // Says where the label is: the sector in which a label at `label` lies; nothing: the disk has none.   Thread: any.
  // Release, with the acquire in Forbids(): a write that begins after this has returned sees it.
  void Place(std::optional<MediumOffset> label) {
    begin_.store(label ? AlignDown(label->value, kDevBsize) : kNone, std::memory_order_release);
  }
  // Lets writes over the label through, or refuses them again.   Thread: any.
  void SetWritable(bool writable) { writable_.store(writable, std::memory_order_release); }

  // Whether a write of `span` is one over a label that is not writable.
  bool Forbids(MediumSpan span) const {
    const uint64_t begin = begin_.load(std::memory_order_acquire);
    if (begin == kNone || writable_.load(std::memory_order_acquire)) return false;
    return span.begin.value < begin + kDevBsize && begin < span.end.value;
  }

 private:
  // No position: sectors end long before.
  static constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

  std::atomic<uint64_t> begin_{kNone};
  std::atomic<bool> writable_{false};
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_LABEL_SECTOR_H_
