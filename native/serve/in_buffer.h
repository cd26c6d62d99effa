// InBuffer: bytes that came and were not looked at yet, in one stretch. Not thread-safe.
#ifndef RUMPBLK_SERVE_IN_BUFFER_H_
#define RUMPBLK_SERVE_IN_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/base/aligned_buffer.h"

namespace blk::serve {

class InBuffer {
 public:
  static constexpr size_t kSize = 256 * 1024;       // bytes
  static constexpr size_t kMostNeeded = 96 * 1024;  // that somebody wants to see in one stretch

  // Whether there was memory for it.
  bool valid() const { return memory_.data() != nullptr; }
  std::span<uint8_t> bytes() const { return {memory_.data() + begin_, end_ - begin_}; }
  // Where more can come, at least kMostNeeded less what is there already.
  std::span<uint8_t> room() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (kSize - begin_ < kMostNeeded) {
      std::memmove(memory_.data(), memory_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    return {memory_.data() + end_, kSize - end_};
  }
  // REQUIRES of both: as many are there, or have room.
  void Drop(size_t size) { begin_ += size; }
  void Added(size_t size) { end_ += size; }

 private:
  const AlignedBuffer memory_{kSize};
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_IN_BUFFER_H_
