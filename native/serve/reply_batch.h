// ReplyBatch: replies that wait to be sent, all by one call: short ones one behind the other in one stretch of memory,
// long ones where they are. Not thread-safe.
#ifndef RUMPBLK_SERVE_REPLY_BATCH_H_
#define RUMPBLK_SERVE_REPLY_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/aligned_buffer.h"
#include "core/base/aligned_pool.h"
#include "core/host/socket.h"

namespace blk::serve {

class ReplyBatch {
 public:
  static constexpr size_t kSize = size_t{1} << 20;      // bytes of short replies
  static constexpr size_t kMostShort = 64 * 1024 + 64;  // of one of them, with its header

  // Long replies come from `pool` and go back to it, which keeps `most` bytes at most. It outlives this object.
  ReplyBatch(AlignedPool& pool, size_t most) : pool_(pool), most_(most) {}
  ReplyBatch(const ReplyBatch&) = delete;
  ReplyBatch& operator=(const ReplyBatch&) = delete;

  // Whether there was memory for it.
  bool valid() const { return memory_.data() != nullptr; }
  bool empty() const { return parts_.empty(); }
  // Whether another reply, of any kind, has room.
  bool has_room() const { return used_ + kMostShort <= kSize && parts_.size() + 2 <= Socket::kMostSpans; }
  // Bytes of memory that long replies take up.
  size_t long_room() const { return long_room_; }

  // Where the next short reply goes, kMostShort bytes; of a long one its header.   REQUIRES: has_room().
  uint8_t* Room() { return memory_.data() + used_; }
  // So many of them are a reply.
  void Add(size_t size) {
    uint8_t* const at = Room();
    used_ += size;
    if (!parts_.empty() && static_cast<uint8_t*>(parts_.back().data) + parts_.back().size == at) {
      parts_.back().size += size;
    } else {
      parts_.push_back({at, size});
    }
  }
  // `size` bytes of `memory`, from its pool's Take(taken), go behind what was added last.
  void AddLong(AlignedBuffer memory, size_t size, size_t taken) {
    parts_.push_back({memory.data(), size});
    long_room_ += AlignedPool::RoomFor(taken);
    kept_.push_back({std::move(memory), taken});
  }

  // Sends as much as the host takes. -> 0, or a negative errno: -EAGAIN when some is left.
  int64_t Send(Socket& socket) {
    while (next_ < parts_.size()) {
      const int64_t sent = socket.Send({parts_.data() + next_, parts_.size() - next_});
      if (sent < 0) return sent;
      Sent(static_cast<size_t>(sent));
    }
    Clear();
    return 0;
  }

 private:
  // Where the first reply begins: data behind its header is then not a few bytes off a page, which is slow to copy
  // (host/copy.h).
  static constexpr size_t kFirst = 64;

  struct Kept {
    AlignedBuffer memory;
    size_t taken;
  };

  void Sent(size_t size) {
    while (size > 0) {
      SocketSpan& part = parts_[next_];
      const size_t taken = size < part.size ? size : part.size;
      part.data = static_cast<uint8_t*>(part.data) + taken;
      part.size -= taken;
      size -= taken;
      if (part.size == 0) next_++;
    }
  }
  void Clear() {
    for (Kept& kept : kept_) pool_.Give(std::move(kept.memory), kept.taken, most_);
    kept_.clear();
    parts_.clear();
    next_ = 0;
    used_ = kFirst;
    long_room_ = 0;
  }

  AlignedPool& pool_;
  const size_t most_;
  const AlignedBuffer memory_{kSize};
  size_t used_ = kFirst;
  std::vector<SocketSpan> parts_;
  size_t next_ = 0;  // of parts_, what is to be sent first
  std::vector<Kept> kept_;
  size_t long_room_ = 0;
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_REPLY_BATCH_H_
