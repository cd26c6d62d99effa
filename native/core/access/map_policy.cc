#include "core/access/map_policy.h"

#include <algorithm>
#include <bit>

namespace blk {
namespace {

// Follows `sample` by one part in so many, shorter ones more readily where `down` is less.
void Learn(std::atomic<int64_t>& mean, int64_t sample, int64_t up, int64_t down) {
  const int64_t old = mean.load(std::memory_order_relaxed);
  mean.store(old + (sample - old) / (sample > old ? up : down), std::memory_order_relaxed);
}

}  // namespace

MapPolicy::MapPolicy(MediumOffset begin, MediumOffset end) : first_(begin.value >> kShift) {
  const uint64_t blocks = ((end.value - 1) >> kShift) - first_ + 1;
  const uint64_t words = std::min(std::bit_ceil(blocks), kMostWords);
  bits_ = static_cast<unsigned>(std::countr_zero(words));
  mask_ = words - 1;
  words_ = ZeroedArray<uint32_t>(static_cast<size_t>(words));
}

MapPolicy::Path MapPolicy::Choose(MediumOffset at, size_t size, Lane lane) {
  const uint64_t block = BlockOf(at);
  std::atomic<uint32_t>& word = WordOf(block);
  Account& account = AccountOf(lane);
  // Relaxed, as all here: nothing hangs on these words but speed.
  const uint32_t now = word.load(std::memory_order_relaxed);
  if (now == WarmWord(block)) {
    // At least that: a copy takes about half of what a pread does.
    Book(account, pread_ns_.load(std::memory_order_relaxed) / 4);
    return Path::kCopy;
  }
  const bool sequential = account.next.load(std::memory_order_relaxed) == at.value && size <= kSequentialMax;
  account.next.store(at.value + size, std::memory_order_relaxed);
  Earn(lane);
  // The second read is the one that may invest: most blocks that are read twice are read often.
  // A word that is used by another block, too, is as good as not read; one that is forgotten was read.
  const bool read = (now & kStateMask) != kNever && (now & ~uint32_t{0xffff}) == TagOf(block);
  if ((read || sequential) && Affords(touch_ns_.load(std::memory_order_relaxed), lane)) {
    return sequential ? Path::kContinue : Path::kInvest;
  }
  if (!read) word.store(TagOf(block) | kRead, std::memory_order_relaxed);
  return Path::kPread;
}

void MapPolicy::Invested(MediumOffset at, int64_t pread_ns, int64_t touch_ns, Lane lane) {
  const uint64_t block = BlockOf(at);
  WordOf(block).store(WarmWord(block), std::memory_order_relaxed);
  // Of preads the quick ones count: what was interrupted, or waited for a disk, is no measure of what a copy saves.
  Learn(pread_ns_, std::clamp<int64_t>(pread_ns, 0, kMostNs), 64, 4);
  const int64_t cost = std::clamp<int64_t>(touch_ns, 0, kMostNs);
  Learn(touch_ns_, cost, 8, 8);
  Spend(cost, lane);
}

void MapPolicy::Forget(MediumOffset begin, MediumOffset end) {
  for (uint64_t block = BlockOf(begin); block <= BlockOf({end.value - 1}); block++) {
    WordOf(block).store(kNever, std::memory_order_relaxed);
  }
}

bool MapPolicy::WantsFaults(Lane lane) {
  // Threads that share a lane have counts of their own, which say nothing about each other.
  if (lane >= kSharedLane) return false;
  std::atomic<uint32_t>& copies = AccountOf(lane).copies;
  const uint32_t count = copies.load(std::memory_order_relaxed) + 1;
  copies.store(count, std::memory_order_relaxed);
  return count % kCopiesALook == 0;
}

void MapPolicy::TellFaults(uint64_t major_faults, Lane lane) {
  std::atomic<uint64_t>& known = AccountOf(lane).faults;
  const bool first = AccountOf(lane).copies.load(std::memory_order_relaxed) == kCopiesALook;
  if (!first && known.load(std::memory_order_relaxed) != major_faults) age_.fetch_add(1, std::memory_order_relaxed);
  known.store(major_faults, std::memory_order_relaxed);
}

}  // namespace blk
