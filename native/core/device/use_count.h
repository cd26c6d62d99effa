// UseCount: who uses a disk or a partition, and that it is retired, in one word, so that one exchange decides between
// an open, a hold and the end. Opens are counted apart from holds, which bar the end as well and are not shown.
// Thread-safe, without locks.
#ifndef RUMPBLK_CORE_DEVICE_USE_COUNT_H_
#define RUMPBLK_CORE_DEVICE_USE_COUNT_H_

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace blk {

class UseCount {
 public:
  enum class Use : uint64_t { kOpen = 1, kHold = uint64_t{1} << 32 };

  // Counts a use in, which bars Retire() until its Leave(). -> false when retired. Neither half of the word can
  // overflow: what it counts are objects in memory.
  bool Enter(Use use) {
    uint64_t uses = word_.load(std::memory_order_relaxed);
    do {
      if ((uses & kRetired) != 0) return false;
    } while (!word_.compare_exchange_weak(uses, uses + static_cast<uint64_t>(use), std::memory_order_acq_rel));
    return true;
  }
  void Leave(Use use) { word_.fetch_sub(static_cast<uint64_t>(use), std::memory_order_acq_rel); }

  // Ends it for good. -> 0, EBUSY while there is a use, ENXIO when it has ended before. Acquire, with the release in
  // Leave(): all that the last user did is over.
  int Retire() {
    uint64_t none = 0;
    if (word_.compare_exchange_strong(none, kRetired, std::memory_order_acq_rel)) return 0;
    return none == kRetired ? ENXIO : EBUSY;
  }

  bool retired() const { return word_.load(std::memory_order_relaxed) == kRetired; }
  // The cast drops what stands above the opens. Relaxed: a number to look at, which may have changed by then.
  uint32_t opens() const { return static_cast<uint32_t>(word_.load(std::memory_order_relaxed)); }

 private:
  static constexpr uint64_t kRetired = uint64_t{1} << 63;

  std::atomic<uint64_t> word_{0};
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_USE_COUNT_H_
