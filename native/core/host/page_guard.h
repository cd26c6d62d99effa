// page_guard: turns SIGBUS inside a mapped window into a poisoned window. The handler puts an anonymous page of zeros
// in the place of the one the host could not give, marks the window and lets the access go on; whoever copied looks at
// the mark afterwards and does the work again by pread or pwrite, which name the error.
// A fault outside registered windows goes to the handler that was there before.
// Thread-safe. Registering takes a lock; the handler takes none.
// Why: rumpblk.c r1.31 lines 643-645 die of a truncated file, a bad sector or a full disk (B34).
#ifndef RUMPBLK_CORE_HOST_PAGE_GUARD_H_
#define RUMPBLK_CORE_HOST_PAGE_GUARD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace blk {

// One registered mapping. Written by its owner while unregistered, read by the handler at any time.
struct GuardSlot {
  std::atomic<uintptr_t> base{0};
  std::atomic<size_t> size{0};  // 0: slot is free
  std::atomic<bool> poisoned{false};
};

// Watches [base, base + size). Installs the handler on first use. -> nullptr when out of memory.
// Locks: takes the registry's own, a leaf.
GuardSlot* GuardMapping(void* base, size_t size);

// Stops watching. REQUIRES: nothing touches the mapping any more, and it is not unmapped yet.
void UnguardMapping(GuardSlot* slot);

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_PAGE_GUARD_H_
