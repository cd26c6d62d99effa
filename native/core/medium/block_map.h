// BlockMap: what an overlay's layer has of each block of a disk, two bits a block. A map that nothing was noted in
// costs no memory, however large the disk. Looked at by any thread without a lock; whoever sees a block as written sees
// what was written to it before it was noted. Changed by one thread a word at a time, which is whoever has that word's
// lock.
#ifndef RUMPBLK_CORE_MEDIUM_BLOCK_MAP_H_
#define RUMPBLK_CORE_MEDIUM_BLOCK_MAP_H_

#include <atomic>
#include <cstdint>

#include "core/base/zeroed_array.h"

namespace blk {

// kBelow: the layer has nothing of it, and what lies below decides. kWritten: the layer has its bytes. kZero: its bytes
// are zeros, and have no room.
enum class BlockState : uint8_t { kBelow = 0, kWritten = 1, kZero = 2 };

class BlockMap {
 public:
  static constexpr uint64_t kBlocksPerWord = 32;

  // All kBelow. Throws std::bad_alloc.
  explicit BlockMap(uint64_t blocks);

  BlockState At(uint64_t block) const {
    const uint64_t word = words_[block / kBlocksPerWord].load(std::memory_order_acquire);
    return static_cast<BlockState>((word >> ShiftOf(block)) & 3);
  }
  // The first block in (from, end) that is in another state than `from`; `end` where there is none.
  // REQUIRES: from < end.
  uint64_t RunEnd(uint64_t from, uint64_t end) const;

  // Notes that [from, end) are in this state, for At() on any thread.   REQUIRES: the locks of their words are held.
  void Set(uint64_t from, uint64_t end, BlockState state);

  // The blocks that were ever noted as something lie in [first, end); both 0 when there are none.
  struct Touched {
    uint64_t first = 0;
    uint64_t end = 0;
  };
  Touched touched() const;
  // All kBelow again.   REQUIRES: nobody else uses it meanwhile.
  void Clear();

 private:
  static unsigned ShiftOf(uint64_t block) { return static_cast<unsigned>(block % kBlocksPerWord) * 2; }
  static void Lower(std::atomic<uint64_t>& bound, uint64_t to);
  static void Raise(std::atomic<uint64_t>& bound, uint64_t to);

  ZeroedArray<uint64_t> words_;
  // Words that may be something else than 0: [first_, end_).
  std::atomic<uint64_t> first_{UINT64_MAX};
  std::atomic<uint64_t> end_{0};
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_BLOCK_MAP_H_
