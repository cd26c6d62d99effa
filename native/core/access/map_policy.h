// MapPolicy: decides, for reads under `access: 'auto'`, whether a piece is copied from its window or read by pread.
// The device is seen in blocks of 64 KiB, what one page fault maps. A block whose pages are in the page table already
// is warm: copying from it beats pread always. To make it warm costs a page fault, one to six preads' worth: an
// investment that pays only if the block is used again. The rule: invest where a block was read before, or by a
// sequential reader, and only out of an account that earns a share of the time that preads take and all that warm
// copies save. What an investment costs is measured. So whatever the pattern and the host, all investments together
// stay below that share. A block is invested in behind a pread of it, when its pages are in memory. Pages that leave
// memory take their blocks with them, all at once: to be read by pread again brings neighbours in, to be faulted in one
// by one does not. Thread-safe without locks: every lane has an account of its own, block states are single words.
// Evidence for the constants: docs/performance.md, "When to map".
#ifndef RUMPBLK_CORE_ACCESS_MAP_POLICY_H_
#define RUMPBLK_CORE_ACCESS_MAP_POLICY_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/counters.h"
#include "core/base/units.h"
#include "core/base/zeroed_array.h"

namespace blk {

class MapPolicy {
 public:
  enum class Path : uint8_t {
    kCopy,  // from the window; the block is warm
    kPread,
    kInvest,    // pread, then map the block, and say Invested()
    kContinue,  // the same for a sequential reader, who has read one page of it: only if all of it is in memory
  };

  // For the range [begin, end) of the medium, which is not empty. Takes 4 bytes for each block, 4 MiB at most, as
  // they are used.
  MapPolicy(MediumOffset begin, MediumOffset end);

  // Decides for a read of [at, at + size), which lies in one block, and books what it saves; so once for each read, and
  // only when a window could serve it.
  // Thread: the lane's own; on kSharedLane, and of a block that several read at once, a decision may be a little off.
  Path Choose(MediumOffset at, size_t size, Lane lane);
  // The block around `at` was mapped, which took `touch_ns` behind a pread that took `pread_ns`.
  void Invested(MediumOffset at, int64_t pread_ns, int64_t touch_ns, Lane lane);
  // Credits the lane for a pread.
  void Earn(Lane lane) { Book(AccountOf(lane), pread_ns_.load(std::memory_order_relaxed) / kShare); }
  // Whether the lane's account holds `ns`, and taking them out.
  bool Affords(int64_t ns, Lane lane) { return AccountOf(lane).balance.load(std::memory_order_relaxed) >= ns; }
  void Spend(int64_t ns, Lane lane) { Book(AccountOf(lane), -ns); }
  // Forgets [begin, end): its window is gone, and with it its pages' entries in the page table. Not empty.
  void Forget(MediumOffset begin, MediumOffset end);
  // The same of any range: of a long one it forgets all that is warm instead of looking at each block.
  void ForgetSome(MediumOffset begin, MediumOffset end) {
    constexpr uint64_t kLong = 1024 * kBlock;
    if (end.value - begin.value <= kLong) return Forget(begin, end);
    age_.fetch_add(1, std::memory_order_relaxed);
  }

  // Whether it is time to tell how often this thread has waited for a page, ever. When that has grown since it was last
  // told, no block is warm any more.
  bool WantsFaults(Lane lane);
  void TellFaults(uint64_t major_faults, Lane lane);

  // Bytes from `at` to the end of its block.
  static size_t RoomFrom(MediumOffset at) { return static_cast<size_t>(kBlock - (at.value & (kBlock - 1))); }
  static constexpr uint64_t kBlock = uint64_t{1} << 16;

 private:
  // A word: which of the blocks that share it, in the upper half; how often all warm ones were forgotten when it became
  // warm; its state. Devices of more than kMostWords blocks share words, so that a word costs no more there either.
  static constexpr unsigned kShift = 16;
  static constexpr uint64_t kMostWords = uint64_t{1} << 20;
  static constexpr uint32_t kNever = 0;  // not read since open
  static constexpr uint32_t kRead = 1;   // read by pread
  static constexpr uint32_t kWarm = 2;
  static constexpr uint32_t kStateMask = 3;
  static constexpr uint32_t kAgeMask = 0x3fff;

  static constexpr size_t kLanes = 16;
  static constexpr int64_t kShare = 20;                // one part in 20 of what preads take may be invested
  static constexpr int64_t kStart = 500'000;           // ns on account at open: small images are warm at once
  static constexpr int64_t kMostNs = 20'000;           // what takes longer was interrupted
  static constexpr size_t kSequentialMax = 32 * 1024;  // larger sequential requests gain nothing from a first fault
  static constexpr uint32_t kCopiesALook = 128;

  // One thread's money and memory. Written by one thread; atomic because lanes may be shared and errors of a few
  // nanoseconds do not matter.
  struct alignas(128) Account {
    std::atomic<int64_t> balance{kStart};
    std::atomic<uint64_t> next{0};  // where a sequential reader would go on
    std::atomic<uint32_t> copies{0};
    std::atomic<uint64_t> faults{0};
  };

  Account& AccountOf(Lane lane) { return accounts_[lane % kLanes]; }
  uint64_t BlockOf(MediumOffset at) const { return (at.value >> kShift) - first_; }
  std::atomic<uint32_t>& WordOf(uint64_t block) { return words_[static_cast<size_t>(block & mask_)]; }
  uint32_t TagOf(uint64_t block) const { return static_cast<uint32_t>(block >> bits_) << 16; }
  uint32_t WarmWord(uint64_t block) const {
    return TagOf(block) | (age_.load(std::memory_order_relaxed) & kAgeMask) << 2 | kWarm;
  }
  // Load and store, not an atomic add: a lane has one writer, as in Counters.
  static void Book(Account& account, int64_t change) {
    account.balance.store(account.balance.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }

  const uint64_t first_;          // number of the range's first block
  unsigned bits_ = 0;             // of the number of a word
  uint64_t mask_ = 0;             // the same, as a mask
  ZeroedArray<uint32_t> words_;   // by number of the block from first_ on, and mask_
  std::atomic<uint32_t> age_{0};  // how often all that was warm has been forgotten
  // Running means, until there are any those of a 2.4 GHz server processor.
  std::atomic<int64_t> pread_ns_{600};
  std::atomic<int64_t> touch_ns_{1500};
  // By lane; the lanes are those of Counters.
  std::array<Account, kLanes> accounts_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_ACCESS_MAP_POLICY_H_
