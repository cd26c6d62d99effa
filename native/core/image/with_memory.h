// WithMemory: moves bytes, and says ENOMEM where that found no memory.
#ifndef RUMPBLK_CORE_IMAGE_WITH_MEMORY_H_
#define RUMPBLK_CORE_IMAGE_WITH_MEMORY_H_

#include "core/base/moved.h"
#include "core/base/no_memory.h"
#include "core/base/status.h"

namespace blk {

// `body()` -> Moved. ENOMEM, with nothing moved that is known of, where it found no memory.
template <typename Body>
Moved WithMemory(Op op, Body&& body) {
  Moved moved;
  return HadMemory([&] { moved = body(); }) ? moved : Moved{0, {ENOMEM, op}};
}

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_WITH_MEMORY_H_
