// AlignedPool: AlignedBuffers that were used before, by size, so that a queued request does not go through the heap for
// its page-aligned memory. Keeps buffers of at most kLargest, and as many as its owner lets it.
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
  // Bytes; larger ones are mapped and unmapped each time.
  static constexpr size_t kLargest = size_t{1} << 20;

  // Bytes that a buffer for `size` takes up: a power of two from a page up, beyond kLargest whole pages.
  static constexpr size_t RoomFor(size_t size) {
    if (size == 0) return 0;
    return size > kLargest ? (size - 1) / kPage * kPage + kPage : BytesOf(ClassOf(size));
  }

  // RoomFor(size) bytes, not zeroed: they hold what the last user left.
  // Shape: data() is null when there is no memory for them, or size is 0.
  AlignedBuffer Take(size_t size) {
    if (size == 0 || size > kLargest) return AlignedBuffer(size);
    std::vector<AlignedBuffer>& kept = kept_[ClassOf(size)];
    if (kept.empty()) return AlignedBuffer(RoomFor(size));
    AlignedBuffer buffer = std::move(kept.back());
    kept.pop_back();
    bytes_ -= RoomFor(size);
    return buffer;
  }

  // Takes back what Take(size) gave, with the same size; frees it when more than `most` bytes would be kept, when it is
  // too large, or when there is no memory to keep it in.
  void Give(AlignedBuffer buffer, size_t size, size_t most) {
    if (buffer.data() == nullptr || size == 0 || size > kLargest || bytes_ + RoomFor(size) > most) return;
    const bool kept = HadMemory([&] { kept_[ClassOf(size)].push_back(std::move(buffer)); });
    if (kept) bytes_ += RoomFor(size);
  }

  // Frees buffers, the largest first, until at most `most` bytes are kept.
  void Shrink(size_t most) {
    for (size_t i = kept_.size(); i-- > 0 && bytes_ > most;) {
      for (; bytes_ > most && !kept_[i].empty(); bytes_ -= BytesOf(i)) kept_[i].pop_back();
    }
  }

  // Bytes that wait to be taken again.
  size_t kept() const { return bytes_; }

 private:
  static constexpr unsigned kFirst = 12;  // of a page, as a power of two
  static constexpr size_t kPage = size_t{1} << kFirst;
  // Index of the smallest power of two that holds `size`.   REQUIRES: 0 < size <= kLargest.
  static constexpr size_t ClassOf(size_t size) {
    const size_t bits = static_cast<size_t>(std::bit_width(size - 1));
    return bits < kFirst ? 0 : bits - kFirst;
  }
  static constexpr size_t BytesOf(size_t size_class) { return kPage << size_class; }

  // From 2^12 to 2^20 bytes; the last one that came is the first to go, since it may still be in the cache.
  std::array<std::vector<AlignedBuffer>, 9> kept_;
  size_t bytes_ = 0;  // in kept_
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_ALIGNED_POOL_H_
