#include "core/host/anonymous_memory.h"

#include <sys/mman.h>

#include <cerrno>

namespace blk {

Result<AnonymousMemory> AnonymousMemory::Create(size_t size, Pages pages) {
  if (size == 0) return AnonymousMemory();
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return Status{errno, Op::kMap};
  // Only a hint: a host without huge pages does not know it.
  static_cast<void>(::madvise(data, size, pages == Pages::kSmall ? MADV_NOHUGEPAGE : MADV_HUGEPAGE));
  return AnonymousMemory(static_cast<uint8_t*>(data), size);
}

bool AnonymousMemory::Free(size_t offset, size_t size) const {
  return size == 0 || ::madvise(data_ + offset, size, MADV_DONTNEED) == 0;
}

// Cannot fail: the range is the one that was mapped.
AnonymousMemory::~AnonymousMemory() {
  if (data_ != nullptr) static_cast<void>(::munmap(data_, size_));
}

}  // namespace blk
