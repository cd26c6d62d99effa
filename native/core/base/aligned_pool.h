// AlignedPool: AlignedBuffers that were used before, by size, so that a queued request does not go through the heap for
// its page-aligned memory. Keeps at most kMostKept bytes, in buffers of at most kLargest; what is beyond goes back.
// Not thread-safe: one owner at a time.
#ifndef RUMPBLK_CORE_BASE_ALIGNED_POOL_H_
#define RUMPBLK_CORE_BASE_ALIGNED_POOL_H_

#include <array>
#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/base/aligned_buffer.h"
#include "core/base/no_memory.h"

namespace blk {

class AlignedPool {
 public:
  // Bytes, both: beyond 256 KiB the copy costs more than the heap; 4 MiB are a thousand requests of a page.
  static constexpr size_t kLargest = size_t{1} << 18;
  static constexpr size_t kMostKept = size_t{1} << 22;

  // At least `size` bytes, not zeroed: they hold what the last user left.
  // Shape: data() is null when there is no memory for them, or size is 0.
  AlignedBuffer Take(size_t size) {
    if (size == 0 || size > kLargest) return AlignedBuffer(size);
    std::vector<AlignedBuffer>& kept = kept_[ClassOf(size)];
    if (kept.empty()) return AlignedBuffer(BytesOf(ClassOf(size)));
    AlignedBuffer buffer = std::move(kept.back());
    kept.pop_back();
    bytes_ -= BytesOf(ClassOf(size));
    return buffer;
  }

  // Takes back what Take(size) gave, with the same size; frees it when enough is kept, when it is too large to be worth
  // it, or when there is no memory to keep it in.
  void Give(AlignedBuffer buffer, size_t size) {
    if (buffer.data() == nullptr || size == 0 || size > kLargest || bytes_ + BytesOf(ClassOf(size)) > kMostKept) return;
    const bool kept = HadMemory([&] { kept_[ClassOf(size)].push_back(std::move(buffer)); });
    if (kept) bytes_ += BytesOf(ClassOf(size));
  }

  // Bytes that wait to be taken again.
  size_t kept() const { return bytes_; }

 private:
  // Powers of two from one page up.
  static constexpr size_t kFirst = 12;
  // Index of the smallest power of two that holds `size`.   REQUIRES: 0 < size <= kLargest.
  static constexpr size_t ClassOf(size_t size) {
    const size_t bits = static_cast<size_t>(std::bit_width(size - 1));
    return bits < kFirst ? 0 : bits - kFirst;
  }
  static constexpr size_t BytesOf(size_t size_class) { return size_t{1} << (kFirst + size_class); }

  // From 2^12 to 2^18 bytes; the last one that came is the first to go, since it may still be in the cache.
  std::array<std::vector<AlignedBuffer>, 7> kept_;
  size_t bytes_ = 0;  // in kept_
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_ALIGNED_POOL_H_
