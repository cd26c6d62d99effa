#include "core/access/residency.h"

#include <algorithm>

namespace blk {

Residency::Residency(MediumWindows& medium, MediumOffset begin, MediumOffset end)
    : medium_(medium),
      told_(medium.TellsResidency()),
      shift_(ShiftFor({begin, end}, kMinShift, kMaxRegions)),
      first_(begin.value >> shift_),
      seen_(static_cast<size_t>(BlocksIn({begin, end}, shift_))) {}

bool Residency::Check(const WindowRef& window, MediumOffset at, size_t size) {
  if (!told_) return false;
  constexpr uint32_t kClock = UINT32_MAX / 2;
  const uint32_t now = medium_.CoarseMilliseconds() & kClock;
  const uint64_t last = (at.value + size - 1) >> shift_;
  for (uint64_t region = at.value >> shift_; region <= last; region++) {
    std::atomic<uint32_t>& seen = seen_[static_cast<size_t>(region - first_)];
    // Relaxed: a stale answer is asked for once more, and a fresh one publishes nothing.
    const uint32_t then = seen.load(std::memory_order_relaxed);
    bool resident = (then & 1) != 0;
    if (then == 0 || ((now - (then >> 1)) & kClock) >= kHoldsMs) {
      // The region as far as the window holds it.
      const uint64_t from = std::max(region << shift_, window.start());
      const uint64_t to = std::min((region + 1) << shift_, window.start() + window.size());
      resident = Ask(window, from, static_cast<size_t>(to - from));
      seen.store(now == 0 && !resident ? 2 : now << 1 | (resident ? 1 : 0), std::memory_order_relaxed);
    }
    if (!resident) return false;
  }
  return true;
}

bool Residency::Ask(const WindowRef& window, uint64_t at, size_t size) {
  if (!told_) return false;
  constexpr size_t kPagesAtOnce = 2048;
  unsigned char pages[kPagesAtOnce];
  // mincore(2) wants to begin at a page; a window does.
  const uint64_t end = at + size;
  for (at = AlignDown(at, PageSize()); at < end; at += kPagesAtOnce * PageSize()) {
    const size_t some = static_cast<size_t>(std::min<uint64_t>(end - at, kPagesAtOnce * PageSize()));
    if (medium_.Mincore(window.At({at}), some, pages) < 0) return false;
    const size_t count = (some + PageSize() - 1) / PageSize();
    if (!std::all_of(pages, pages + count, [](unsigned char page) { return (page & 1) != 0; })) return false;
  }
  return true;
}

}  // namespace blk
