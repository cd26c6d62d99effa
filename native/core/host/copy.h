// CopyBytes: the copy between a window and the caller's memory. Ranges do not overlap. No state, thread-safe.
#ifndef RUMPBLK_CORE_HOST_COPY_H_
#define RUMPBLK_CORE_HOST_COPY_H_

#include <cstddef>
#include <cstring>

namespace blk {

inline void CopyBytes(void* dst, const void* src, size_t size) { std::memcpy(dst, src, size); }

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_COPY_H_
