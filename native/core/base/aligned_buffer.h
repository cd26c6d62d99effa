// AlignedBuffer: sole owner of page-aligned memory, what the kernel copies into fastest and what O_DIRECT accepts.
// Move-only; not thread-safe: one owner at a time. Contents are not initialised, so whoever lends it to JavaScript
// zeroes it first.
#ifndef RUMPBLK_CORE_BASE_ALIGNED_BUFFER_H_
#define RUMPBLK_CORE_BASE_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "core/base/units.h"

namespace blk {

class AlignedBuffer {
 public:
  // Bytes. What O_DIRECT asks for on any file system at hand, and where the kernel's copy is fastest (host/copy.h). Not
  // PageSize(): a host with larger pages is served too, through the page cache where its O_DIRECT asks for more
  // (HostFile::FitsDirect()).
  static constexpr size_t kAlignment = 4096;

  // Owns nothing.
  AlignedBuffer() = default;
  // Allocates at least `size` bytes.
  // Shape: data() is null when there is no memory for them, or size is 0; nothing is thrown, so that a request of any
  // length fails with ENOMEM and not the process.
  explicit AlignedBuffer(size_t size) {
    if (size == 0 || size > SIZE_MAX - kAlignment) return;
    // aligned_alloc() wants a multiple of the alignment; the sum cannot wrap, by the line above. Its memory has no type
    // yet: the cast gives it one.
    data_.reset(static_cast<uint8_t*>(std::aligned_alloc(kAlignment, AlignUp(size, kAlignment))));
  }

  // The memory, or null. Valid while this object lives and is not moved from.
  uint8_t* data() const { return data_.get(); }

 private:
  // What aligned_alloc() gave goes back by free(), not by delete.
  struct Free {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };
  std::unique_ptr<uint8_t, Free> data_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_ALIGNED_BUFFER_H_
