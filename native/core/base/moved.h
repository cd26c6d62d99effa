// Moved: the outcome of a transfer on every floor, and the flag by which a transfer is called off. Plain data, no
// state.
#ifndef RUMPBLK_CORE_BASE_MOVED_H_
#define RUMPBLK_CORE_BASE_MOVED_H_

#include <atomic>
#include <cstddef>

#include "core/base/status.h"

namespace blk {

// How far a transfer came, and what ended it. Bytes count also when status is an error, and are always a prefix.
struct Moved {
  size_t bytes = 0;
  Status status;
};

// Whether whoever asked for a transfer has called it off; null: nobody can. Relaxed: the flag stands for itself and
// publishes nothing, and a look that comes too early is repeated before the next piece.
inline bool IsCancelled(const std::atomic<bool>* cancel) {
  return cancel != nullptr && cancel->load(std::memory_order_relaxed);
}

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_MOVED_H_
