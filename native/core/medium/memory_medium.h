// MemoryMedium: a disk in memory, sparse: it costs what was written, page by page, and is gone with its last reference.
// A sync has nothing to do. Thread-safe; what two threads do to the same bytes at once is theirs to order, as on a
// disk.
#ifndef RUMPBLK_CORE_MEDIUM_MEMORY_MEDIUM_H_
#define RUMPBLK_CORE_MEDIUM_MEMORY_MEDIUM_H_

#include <memory>
#include <string>

#include "core/host/anonymous_memory.h"
#include "core/medium/page_marks.h"
#include "core/medium/volatile_medium.h"

namespace blk {

class MemoryMedium final : public VolatileMedium {
 public:
  // The bytes, which any number of media share.
  struct Store : VolatileStore {
    Store(AnonymousMemory bytes, std::string called, uint64_t sector)
        : VolatileStore(bytes.size(), std::move(called), sector), memory(std::move(bytes)), pages(size) {}
    const AnonymousMemory memory;
    PageMarks pages;  // that were written
  };

  // `size` bytes of zeros. Errors: ENOMEM no address space for them.
  static Result<std::shared_ptr<Store>> CreateStore(uint64_t size, std::string name, uint64_t sector_size);

  explicit MemoryMedium(std::shared_ptr<Store> store)
      : VolatileMedium(MediumKind::kMemory, store), bytes_(std::move(store)) {}

  Result<std::unique_ptr<Medium>> Again() override {
    return std::unique_ptr<Medium>(std::make_unique<MemoryMedium>(bytes_));
  }

 private:
  std::unique_ptr<Channel> MakeChannel() override;

  const std::shared_ptr<Store> bytes_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_MEMORY_MEDIUM_H_
