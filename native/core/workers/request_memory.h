// RequestMemory: the memory that the queued requests of a driver run on, page-aligned, used again, and bounded: a
// request that finds none waits until another one gives some back (intake.h). A request that needs more than the limit
// is let through while no other one has any, so that every request is served in the end.
// Thread-safe. Lock order: mu_ is a leaf.
#ifndef RUMPBLK_CORE_WORKERS_REQUEST_MEMORY_H_
#define RUMPBLK_CORE_WORKERS_REQUEST_MEMORY_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/base/aligned_pool.h"
#include "core/base/sync.h"

namespace blk {

class RequestMemory {
 public:
  // `limit`: bytes that requests have and that are kept for the next ones, together.
  explicit RequestMemory(uint64_t limit) : limit_(static_cast<size_t>(std::min<uint64_t>(limit, SIZE_MAX))) {}
  RequestMemory(const RequestMemory&) = delete;
  RequestMemory& operator=(const RequestMemory&) = delete;

  // kFull: others have it, and give it back. kNone: the host has none.
  enum class Outcome : uint8_t { kTaken, kFull, kNone };

  // Takes memory for `size` bytes, which hold what the last user left.   Shape: *memory is null unless it was taken.
  // REQUIRES: size is not 0.
  Outcome Take(size_t size, AlignedBuffer* memory) EXCLUDES(mu_) {
    const size_t room = AlignedPool::RoomFor(size);
    MutexLock lock(mu_);
    if (used_ > 0 && (room > limit_ || used_ > limit_ - room)) return Outcome::kFull;
    // Of what is kept, a buffer of this very size is part of the room that it takes.
    *memory = pool_.Take(size);
    if (memory->data() == nullptr) return Outcome::kNone;
    used_ += room;
    peak_ = std::max(peak_, used_);
    if (used_ + pool_.kept() > limit_) pool_.Shrink(limit_ > used_ ? limit_ - used_ : 0);
    return Outcome::kTaken;
  }

  // Gives back what Take(size) gave, with the same size; null is nothing.
  void Give(AlignedBuffer memory, size_t size) EXCLUDES(mu_) {
    if (memory.data() == nullptr) return;
    MutexLock lock(mu_);
    used_ -= AlignedPool::RoomFor(size);
    pool_.Give(std::move(memory), size, std::min(kMostKept, limit_ > used_ ? limit_ - used_ : 0));
  }

  // Bytes that requests have now, and the most that they ever had.
  size_t used() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return used_;
  }
  size_t peak() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return peak_;
  }
  // Bytes that are kept for the next requests.
  size_t kept() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return pool_.kept();
  }

 private:
  // Bytes that an idle driver keeps at most: four long requests' parts, or four thousand requests of a page.
  static constexpr size_t kMostKept = size_t{16} << 20;

  const size_t limit_;
  mutable Mutex mu_;
  AlignedPool pool_ GUARDED_BY(mu_);
  size_t used_ GUARDED_BY(mu_) = 0;
  size_t peak_ GUARDED_BY(mu_) = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_REQUEST_MEMORY_H_
