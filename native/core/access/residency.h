// Residency: whether pages of a mapping were in memory a moment ago, so that a copy from them does not wait for a disk.
// Asks the host once per region of 2 MiB and 100 ms; in between the last answer holds, whichever it was.
// Thread-safe without locks. A page may leave between the answer and the copy: then the copy waits for that one page.
#ifndef RUMPBLK_CORE_ACCESS_RESIDENCY_H_
#define RUMPBLK_CORE_ACCESS_RESIDENCY_H_

#include <atomic>
#include <cstdint>

#include "core/base/units.h"
#include "core/base/zeroed_array.h"
#include "core/medium/medium_windows.h"
#include "core/window/window.h"

namespace blk {

class Residency {
 public:
  // For the range [begin, end) of the medium, which is not empty. Asks once whether it tells at all. `medium`
  // outlives it.
  Residency(MediumWindows& medium, MediumOffset begin, MediumOffset end);

  // True when every page of the regions around [at, at + size), as far as the window has them, was in memory at most
  // kHoldsMs ago. False too where the host does not tell.   Thread: any; it may ask the host, which does not wait for a
  // disk.
  // REQUIRES: `window` holds the range.
  bool Check(const WindowRef& window, MediumOffset at, size_t size);
  // True when every page of [at, at + size) is in memory, as the host says now. REQUIRES: `window` holds the range.
  bool Ask(const WindowRef& window, uint64_t at, size_t size);

 private:
  static constexpr unsigned kMinShift = 21;  // 2 MiB: one call of mincore for 512 pages
  static constexpr uint64_t kMaxRegions = uint64_t{1} << 20;
  static constexpr uint32_t kHoldsMs = 100;

  MediumWindows& medium_;
  const bool told_;       // to strangers of the file the host says that all of it is in memory
  const unsigned shift_;  // of the size of a region
  const uint64_t first_;  // number of the range's first region
  // Of each region: twice the millisecond of the last answer, plus 1 for "all in memory"; 0 for none.
  const ZeroedArray<uint32_t> seen_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_ACCESS_RESIDENCY_H_
