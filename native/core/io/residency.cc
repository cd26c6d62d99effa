#include "core/io/residency.h"

#include <algorithm>

namespace blk {

Residency::Residency(HostIo& host, int fd, HostOffset begin, HostOffset end)
    : host_(host),
      told_(host.TellsResidency(fd)),
      shift_(ShiftFor({begin, end}, kMinShift, kMaxRegions)),
      first_(begin.value >> shift_),
      seen_(new std::atomic<uint32_t>[static_cast<size_t>(BlocksIn({begin, end}, shift_))]()) {}

bool Residency::Check(const WindowRef& window, HostOffset at, size_t size) {
  if (!told_) return false;
  const uint32_t now = host_.CoarseMilliseconds();
  const uint64_t last = (at.value + size - 1) >> shift_;
  for (uint64_t region = at.value >> shift_; region <= last; region++) {
    std::atomic<uint32_t>& seen = seen_[static_cast<size_t>(region - first_)];
    // Relaxed: a stale answer is asked for once more, and a fresh one publishes nothing.
    const uint32_t then = seen.load(std::memory_order_relaxed);
    if (then != 0 && now - then < kHoldsMs) continue;
    if (!Ask(window, region)) return false;
    seen.store(now == 0 ? 1 : now, std::memory_order_relaxed);
  }
  return true;
}

bool Residency::Ask(const WindowRef& window, uint64_t region) {
  // The region as far as the window holds it.
  const uint64_t from = std::max(region << shift_, window.start());
  const uint64_t to = std::min((region + 1) << shift_, window.start() + window.size());
  constexpr size_t kPagesAtOnce = 2048;
  unsigned char pages[kPagesAtOnce];
  for (uint64_t at = from; at < to; at += kPagesAtOnce * PageSize()) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(to - at, kPagesAtOnce * PageSize()));
    if (host_.Mincore(window.At({at}), size, pages) < 0) return false;
    const size_t count = (size + PageSize() - 1) / PageSize();
    if (!std::all_of(pages, pages + count, [](unsigned char page) { return (page & 1) != 0; })) return false;
  }
  return true;
}

}  // namespace blk
