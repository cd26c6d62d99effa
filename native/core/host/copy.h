// CopyBytes: the copy between a window and the caller's memory. Ranges do not overlap. No state, thread-safe.
// An own vector loop, chosen when the program starts: on processors with fast short `rep movsb` the C library's memcpy
// and the kernel's own copy run 3 to 14 times slower when (dst - src) mod 4096 is 1..31, which is where Node puts every
// Buffer of 128 KiB and more. See docs/performance.md, "Slow alignments".
#ifndef RUMPBLK_CORE_HOST_COPY_H_
#define RUMPBLK_CORE_HOST_COPY_H_

#include <cstddef>
#include <cstdint>

namespace blk {

// Copies `size` bytes. Correct for every size and alignment, and for null pointers when size is 0.
// REQUIRES: the ranges do not overlap.   A page of a watched mapping that the host cannot give reads as zeros, and is
// marked (page_guard.h): whoever copies from or to one looks at the mark afterwards.
void CopyBytes(void* dst, const void* src, size_t size);

// Starts to bring [src, src + size) into the cache, for a copy that comes soon. A hint: no page fault, no failure.
inline void PrefetchBytes(const void* src, size_t size) {
  const char* at = static_cast<const char*>(src);
  for (size_t i = 0; i < size; i += 64) __builtin_prefetch(at + i);
}

// True on processors with alignments that `rep movsb`, and so the kernel's copy, is slow for: AMD's with the flag fsrm.
bool HasSlowAlignments();

// Of such a processor: true for a destination into which the kernel's own copy from a page-aligned source at `offset`
// would be slow: for who can then read into other memory and copy from there.
inline bool IsSlowForKernel(const void* dst, uint64_t offset) {
  // The address as a number: only its place in its page counts, as that of `offset` in the page cache's.
  const uint64_t distance = (reinterpret_cast<uintptr_t>(dst) - offset) & 4095;
  return distance >= 1 && distance <= 31;
}

// One way to copy: its name, and whether this processor has it. For tests of each.
struct CopyKernel {
  const char* name;
  void (*copy)(void* dst, const void* src, size_t size);
  bool (*supported)();
};
// All of them, fastest first; the last one is always supported. `count` is their number.
const CopyKernel* CopyKernels(size_t* count);

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_COPY_H_
