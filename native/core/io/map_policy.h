// MapPolicy: decides, for reads under `access: 'auto'`, whether a piece is copied from its window or read by pread.
// The device is seen in blocks of 64 KiB or more. A block whose pages are in the page table already is warm: copying
// from it beats pread always. The first copy from a cold block takes a page fault, three preads' worth: an investment
// that pays only if the block is used again. The rule: invest where a block was read before, and only out of an account
// that earns a share of the time that preads take and of the time that warm copies save. So whatever the pattern, all
// investments together stay below that share of what pread alone would have cost.
// Thread-safe without locks: every lane has an account of its own, block states are single bytes.
// Evidence for the constants: docs/performance.md, "When to map".
#ifndef RUMPBLK_CORE_IO_MAP_POLICY_H_
#define RUMPBLK_CORE_IO_MAP_POLICY_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/base/counters.h"
#include "core/base/units.h"

namespace blk {

class MapPolicy {
 public:
  enum class Path : uint8_t {
    kCopy,    // from the window; the block is warm
    kInvest,  // from the window; the first copy of this block
    kPread,
  };

  // For the range [begin, end) of the host file, which is not empty. Takes a byte for each block, 1 MiB at most.
  MapPolicy(HostOffset begin, HostOffset end);

  // Decides for a read of [at, at + size), which lies in one block, and books what it costs or saves; so once for each
  // read, and only when a window could serve it.
  // Thread: the lane's own; on kSharedLane, and of a block that several read at once, a decision may be a little off.
  Path Choose(HostOffset at, size_t size, Lane lane);
  // Credits the lane for a pread of `size` bytes.
  void Earn(size_t size, Lane lane) {
    Book(accounts_[lane % kLanes], (kPreadCall + static_cast<int64_t>(size / 16)) / kShare);
  }
  // Takes `ns` out of the lane's account for something else than a fault, if it holds that much.
  bool Spend(int64_t ns, Lane lane);
  // Forgets [begin, end): its window is gone, and with it its pages' entries in the page table. Not empty.
  void Forget(HostOffset begin, HostOffset end);

  // Bytes from `at` to the end of its block.
  size_t RoomFrom(HostOffset at) const { return static_cast<size_t>(block_size() - (at.value & (block_size() - 1))); }
  // Bytes, a power of two: 64 KiB, or more on a device with more than kMaxBlocks of those.
  uint64_t block_size() const { return uint64_t{1} << shift_; }

 private:
  // States of a block. Losing one to a race costs a pread or a fault.
  static constexpr uint8_t kNever = 0;  // not read since open
  static constexpr uint8_t kRead = 1;   // read by pread
  static constexpr uint8_t kWarm = 2;

  static constexpr unsigned kMinShift = 16;  // 64 KiB: what one fault maps of small pages (fault-around)
  static constexpr uint64_t kMaxBlocks = uint64_t{1} << 20;
  static constexpr size_t kLanes = 16;

  // Nanoseconds, of a 2.4 GHz server processor; only their proportions matter.
  static constexpr int64_t kFault = 2500;              // what a fault costs beyond the pread it replaces
  static constexpr int64_t kSaved = 350;               // what a warm copy saves against pread
  static constexpr int64_t kPreadCall = 700;           // a pread, and each 16 bytes of it
  static constexpr int64_t kShare = 8;                 // one part in 8 of it may be invested
  static constexpr int64_t kStart = 400 * kFault;      // on account at open: small images are warm at once
  static constexpr size_t kSequentialMax = 32 * 1024;  // larger sequential requests gain nothing from a first fault

  // One thread's money and memory. Written by one thread; atomic because lanes may be shared and errors of a few
  // nanoseconds do not matter.
  struct alignas(128) Account {
    std::atomic<int64_t> balance{kStart};
    std::atomic<uint64_t> next{0};  // where a sequential reader would go on
  };

  size_t BlockOf(HostOffset at) const { return static_cast<size_t>((at.value >> shift_) - first_); }
  // Load and store, not an atomic add: a lane has one writer, as in Counters.
  static void Book(Account& account, int64_t change) {
    account.balance.store(account.balance.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }

  const unsigned shift_;  // of block_size()
  const uint64_t first_;  // number of the range's first block; block n starts at n * block_size()
  const std::unique_ptr<std::atomic<uint8_t>[]> blocks_;  // kNever, kRead or kWarm, by number from first_ on
  // By lane; the lanes are those of Counters.
  std::array<Account, kLanes> accounts_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IO_MAP_POLICY_H_
