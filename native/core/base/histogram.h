// Histogram: how often which value came, in buckets that grow with the value: 128 to each power of two, so that a value
// is known to 1/128. Fixed memory, whatever comes. Thread-safe: each number by itself is whole; one that is read while
// others are added has some of them.   Model: HdrHistogram, log-linear.
#ifndef RUMPBLK_CORE_BASE_HISTOGRAM_H_
#define RUMPBLK_CORE_BASE_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace blk {

class Histogram {
 public:
  static constexpr unsigned kSubBits = 7;
  // Bits of the largest value that has a bucket: in nanoseconds 4.9 hours. What is larger counts in the last one.
  static constexpr unsigned kMostBits = 44;
  static constexpr size_t kBuckets = ((kMostBits - kSubBits - 1) << kSubBits) + (size_t{2} << kSubBits);

  // The bucket of a value, and the least value in it. Below 256 each value has its own.
  static constexpr size_t BucketOf(uint64_t value) {
    value = std::min(value, (uint64_t{1} << kMostBits) - 1);
    const unsigned width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > kSubBits + 1 ? width - (kSubBits + 1) : 0;
    return (size_t{shift} << kSubBits) + static_cast<size_t>(value >> shift);
  }
  static constexpr uint64_t LeastOf(size_t bucket) {
    const size_t shift = bucket >> kSubBits;
    return shift < 2 ? bucket : static_cast<uint64_t>(bucket - ((shift - 1) << kSubBits)) << (shift - 1);
  }

  // Thread: any, also for all below.
  void Add(uint64_t value) {
    // Relaxed: counters, which order nothing.
    buckets_[BucketOf(value)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
    if (value < least_.load(std::memory_order_relaxed)) Move(least_, value, [](auto a, auto b) { return a < b; });
    if (value > most_.load(std::memory_order_relaxed)) Move(most_, value, [](auto a, auto b) { return a > b; });
  }
  // What is added meanwhile may be lost in part.
  void Clear() {
    for (auto& bucket : buckets_) bucket.store(0, std::memory_order_relaxed);
    sum_.store(0, std::memory_order_relaxed);
    least_.store(kNone, std::memory_order_relaxed);
    most_.store(0, std::memory_order_relaxed);
  }

  uint64_t count(size_t bucket) const { return buckets_[bucket].load(std::memory_order_relaxed); }
  uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  // 2^64 - 1 of an empty one.
  uint64_t least() const { return least_.load(std::memory_order_relaxed); }
  uint64_t most() const { return most_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

  template <typename Beyond>
  static void Move(std::atomic<uint64_t>& bound, uint64_t value, Beyond beyond) {
    uint64_t seen = bound.load(std::memory_order_relaxed);
    while (beyond(value, seen) && !bound.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
    }
  }

  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> sum_{0};
  std::atomic<uint64_t> least_{kNone};
  std::atomic<uint64_t> most_{0};
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_HISTOGRAM_H_
