// AnonymousMemory: sole owner of zeroed memory that costs what is written to it, page by page. Move-only; its bytes may
// be used from any thread while it lives. Large pages are for what is filled from its start to its end: a page fault
// for 2 MiB and not for each 4 KiB, where the host has them.
#ifndef RUMPBLK_CORE_HOST_ANONYMOUS_MEMORY_H_
#define RUMPBLK_CORE_HOST_ANONYMOUS_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/base/status.h"

namespace blk {

class AnonymousMemory {
 public:
  enum class Pages : uint8_t { kSmall, kLarge };

  // Takes address space for `size` bytes, all of them zero. Errors: ENOMEM.
  static Result<AnonymousMemory> Create(size_t size, Pages pages = Pages::kSmall);

  // Owns nothing.
  AnonymousMemory() = default;
  AnonymousMemory(AnonymousMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AnonymousMemory& operator=(AnonymousMemory&&) = delete;
  AnonymousMemory(const AnonymousMemory&) = delete;
  AnonymousMemory& operator=(const AnonymousMemory&) = delete;
  ~AnonymousMemory();

  // Makes whole pages [offset, offset + size) zeros again, which cost nothing. -> false when the host does not: they
  // are as they were. What others read or write there meanwhile is theirs to order.   REQUIRES: multiples of a page.
  bool Free(size_t offset, size_t size) const;

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  AnonymousMemory(uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_ANONYMOUS_MEMORY_H_
