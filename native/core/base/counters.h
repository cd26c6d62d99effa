// Counters: the event counts of one driver. A counter's name, unit and meaning stand here once; each is added to by
// whoever makes the event happen.
// Thread-safe, without locks: counts are spread over lanes so that threads do not share a cache line. A snapshot is
// exact when nothing is in flight.
// Model: the seven evcnts of rumpblk.c r1.31 lines 119-127, with bytes counted on completion (B14, B37, B43).
#ifndef RUMPBLK_CORE_BASE_COUNTERS_H_
#define RUMPBLK_CORE_BASE_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/lane_lease.h"

namespace blk {

// What is counted, for each driver by itself. addon/layout.cc tells lib their names, in this order.
enum class Counter : uint8_t {
  kIoTotal,            // bufs that passed faults and bounds, whatever the host then answered
  kIoAsync,            // those of them that were deferred
  kBytesRead,          // bytes moved to callers
  kBytesWritten,       // bytes moved from callers
  kBytesWrittenAsync,  // those of them in deferred bufs
  kWindowHits,         // pieces served from a window that was mapped already
  kWindowBusy,         // waits for a window
  kWindowMisses,       // mappings made by requests, not those made at open
  kFaultsInjected,     // bufs failed by the injector
  kFlushes,            // syncs that reached the host
  kDiscards,           // discards that passed faults and bounds
  kBytesDiscarded,     // bytes that media were told to discard
  kDiscardsIgnored,    // discards of media that cannot
  kZeroes,             // writes of zeros that passed faults and bounds
  kBytesZeroed,        // bytes that they made zeros
  kExtentsListed,      // extents that media listed
  kCount
};

inline constexpr size_t kCounterCount = static_cast<size_t>(Counter::kCount);

// Memory: a pair of cache lines for each lane, 2 KiB in all.
class Counters {
 public:
  // One number for each Counter, by its value.
  using Values = std::array<uint64_t, kCounterCount>;

  // Adds `n`: events, or bytes where the counter counts bytes.
  // Thread: that of the lane's lease, any for kSharedLane.   Locks: none.   REQUIRES: lane <= kSharedLane.
  // Always in line: it is a third as long as a call of it.
  [[gnu::always_inline]] void Add(Counter counter, uint64_t n, Lane lane) {
    // Relaxed: a count orders nothing; only its sum is read. A lane's own thread is its only writer, so load and store
    // lose nothing and cost a third of a locked add.
    std::atomic<uint64_t>& count = lanes_[lane].counts[static_cast<size_t>(counter)];
    if (lane < kSharedLane) {
      count.store(count.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    } else {
      count.fetch_add(n, std::memory_order_relaxed);
    }
  }

  // Counts since construction or the last Reset(). Each is read by itself: while requests are in flight two of them may
  // be of different moments.   Thread: that of Reset().
  Values Snapshot() const;
  // One count since construction, whatever was reset: for who compares with a stream that no reset touches, as the
  // number of injected faults.   Thread: any.
  uint64_t Total(Counter counter) const { return Sum()[static_cast<size_t>(counter)]; }
  // Starts again from zero. Adds that run at the same time are on one side or the other, never lost.
  // REQUIRES: one caller at a time, and no Snapshot() at the same time.
  void Reset();

 private:
  static constexpr size_t kLanes = kSharedLane + 1;
  // Two cache lines: processors fetch lines in pairs, so neighbours at 64 bytes would still disturb each other.
  struct alignas(128) Set {
    std::array<std::atomic<uint64_t>, kCounterCount> counts{};
  };

  // Over all lanes, since construction.
  Values Sum() const;

  std::array<Set, kLanes> lanes_{};
  // What Snapshot() counts from. Not atomic: it belongs to the one thread that resets and looks.
  Values baseline_{};
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_COUNTERS_H_
