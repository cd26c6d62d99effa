// What happens when memory runs out. Core throws nothing of its own; `new` that finds no memory throws std::bad_alloc,
// which passes through core to the edge (addon/edge.h) and is ENOMEM there. So whatever changes state allocates first,
// owners give back what they hold on the way out, and what has to succeed, which is all that closes, releases or
// destroys, either allocates nothing or goes on without through HadMemory().
#ifndef RUMPBLK_CORE_BASE_NO_MEMORY_H_
#define RUMPBLK_CORE_BASE_NO_MEMORY_H_

#include <new>

#include "core/base/sync.h"

namespace blk {

// Calls `body()`. -> false when it ended because there was no memory. A body that needs a lock says so itself.
template <typename Body>
bool HadMemory(Body&& body) NO_THREAD_SAFETY_ANALYSIS {
  try {
    body();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_NO_MEMORY_H_
