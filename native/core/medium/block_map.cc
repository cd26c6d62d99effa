#include "core/medium/block_map.h"

#include <algorithm>
#include <bit>

namespace blk {
namespace {

// A word whose blocks are all in one state is that state times this.
constexpr uint64_t kEach = 0x5555'5555'5555'5555;

}  // namespace

BlockMap::BlockMap(uint64_t blocks) : words_(static_cast<size_t>((blocks + kBlocksPerWord - 1) / kBlocksPerWord + 1)) {}

uint64_t BlockMap::RunEnd(uint64_t from, uint64_t end) const {
  const uint64_t all = kEach * static_cast<uint64_t>(At(from));
  uint64_t word = from / kBlocksPerWord;
  uint64_t keep = ~uint64_t{0} << ShiftOf(from);
  for (; word * kBlocksPerWord < end; word++, keep = ~uint64_t{0}) {
    const uint64_t others = (words_[word].load(std::memory_order_acquire) ^ all) & keep;
    if (others == 0) continue;
    const uint64_t block = word * kBlocksPerWord + static_cast<uint64_t>(std::countr_zero(others)) / 2;
    // Somebody may have changed `from` itself since At(): then it is a run by itself.
    return std::min(std::max(block, from + 1), end);
  }
  return end;
}

void BlockMap::Set(uint64_t from, uint64_t end, BlockState state) {
  if (from >= end) return;
  const uint64_t all = kEach * static_cast<uint64_t>(state);
  const uint64_t first = from / kBlocksPerWord, last = (end - 1) / kBlocksPerWord;
  for (uint64_t word = first; word <= last; word++) {
    uint64_t change = ~uint64_t{0};
    if (word == first) change &= ~uint64_t{0} << ShiftOf(from);
    if (word == last) change &= ~uint64_t{0} >> (62 - ShiftOf(end - 1));
    const uint64_t now = words_[word].load(std::memory_order_relaxed);
    words_[word].store((now & ~change) | (all & change), std::memory_order_release);
  }
  Lower(first_, first);
  Raise(end_, last + 1);
}

BlockMap::Touched BlockMap::touched() const {
  const uint64_t first = first_.load(std::memory_order_relaxed), end = end_.load(std::memory_order_relaxed);
  if (first >= end) return {};
  return {first * kBlocksPerWord, end * kBlocksPerWord};
}

void BlockMap::Clear() {
  const uint64_t end = end_.load(std::memory_order_relaxed);
  for (uint64_t word = first_.load(std::memory_order_relaxed); word < end; word++) {
    words_[word].store(0, std::memory_order_relaxed);
  }
  first_.store(UINT64_MAX, std::memory_order_relaxed);
  end_.store(0, std::memory_order_relaxed);
}

void BlockMap::Lower(std::atomic<uint64_t>& bound, uint64_t to) {
  uint64_t now = bound.load(std::memory_order_relaxed);
  while (to < now && !bound.compare_exchange_weak(now, to, std::memory_order_relaxed)) {
  }
}

void BlockMap::Raise(std::atomic<uint64_t>& bound, uint64_t to) {
  uint64_t now = bound.load(std::memory_order_relaxed);
  while (to > now && !bound.compare_exchange_weak(now, to, std::memory_order_relaxed)) {
  }
}

}  // namespace blk
