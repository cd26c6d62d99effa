// LentMemory: which addresses of an environment are bytes of devices, lent by leases. A request whose memory is among
// them runs on a copy: the host may fail a page of it inside its own call, where nobody can put zeros in its place
// (EFAULT), and what it reads may lie under what it writes. LentRange: one lease's part of it, for as long as it lives.
// JavaScript thread only.
#ifndef RUMPBLK_ADDON_LENT_MEMORY_H_
#define RUMPBLK_ADDON_LENT_MEMORY_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>

namespace blk_addon {

class LentMemory {
 public:
  // Whether any of [data, data + size) is lent.
  bool Meets(const uint8_t* data, size_t size) const { return !ranges_.empty() && size > 0 && Find(data, size); }

 private:
  friend class LentRange;

  // From the last range that begins in front of the end backwards, as far as one can reach into it: leases may overlap.
  // Out of line: most environments lend nothing, and each request asks.
  [[gnu::noinline]] bool Find(const uint8_t* data, size_t size) const {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(data);
    for (auto range = ranges_.lower_bound(begin + size); range != ranges_.begin();) {
      --range;
      if (range->first + range->second > begin) return true;
      if (range->first + longest_ <= begin) return false;
    }
    return false;
  }

  std::multimap<uintptr_t, size_t> ranges_;  // address -> bytes
  size_t longest_ = 0;                       // of all that there were
};

// Neither copied nor moved. `memory` outlives it.
class LentRange {
 public:
  LentRange(LentMemory& memory, const uint8_t* data, size_t size)
      : memory_(memory), place_(memory.ranges_.emplace(reinterpret_cast<uintptr_t>(data), size)) {
    memory.longest_ = std::max(memory.longest_, size);
  }
  ~LentRange() { memory_.ranges_.erase(place_); }
  LentRange(const LentRange&) = delete;
  LentRange& operator=(const LentRange&) = delete;

 private:
  LentMemory& memory_;
  const std::multimap<uintptr_t, size_t>::iterator place_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_LENT_MEMORY_H_
