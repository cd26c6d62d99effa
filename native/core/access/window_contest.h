// WindowContest: which window deserves a slot when the range has more windows than the table has slots. Reads of a
// window that is not mapped heat it; reads of the one in the slot heat that one; a challenger that is hotter by a
// margin takes the slot, so that a pattern without favourites hardly ever remaps. Thread-safe without locks: heats are
// relaxed bytes, and losing a count now and then changes nothing.
#ifndef RUMPBLK_CORE_ACCESS_WINDOW_CONTEST_H_
#define RUMPBLK_CORE_ACCESS_WINDOW_CONTEST_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/zeroed_array.h"

namespace blk {

class WindowContest {
 public:
  // For a range of `windows` windows and a table of `slots` slots, neither 0.
  WindowContest(uint64_t windows, size_t slots) : windows_(windows), slots_(slots) {
    // Past this many windows one is too rarely met again: what is mapped at open stays.
    if (windows > slots && windows <= kMaxWindows) heat_ = ZeroedArray<uint8_t>(windows);
    held_ = ZeroedArray<uint8_t>(slots);
  }

  // The window in `slot` served a read.
  void Defend(size_t slot) { Warm(held_[slot]); }

  // Window `index` of the range could not serve a read because another one has `slot`. -> whether it should take it: it
  // is hotter by a margin. Never when every window has a slot of its own.   Thread: any.
  bool Challenge(uint64_t index, size_t slot) {
    if (!heat_) return false;
    const unsigned heat = Warm(heat_[index]);
    if (heat == kHottest) Cool();
    return heat > held_[slot].load(std::memory_order_relaxed) + kMargin;
  }

  // Window `index` has taken `slot`.   REQUIRES: Challenge() has said so.
  void Take(uint64_t index, size_t slot) {
    held_[slot].store(heat_[index].load(std::memory_order_relaxed), std::memory_order_relaxed);
  }

 private:
  static constexpr uint64_t kMaxWindows = uint64_t{1} << 20;
  static constexpr unsigned kHottest = 255;
  static constexpr unsigned kMargin = 16;  // about what a remapping costs in preads

  // One more, up to kHottest. Two at once may count as one.
  static unsigned Warm(std::atomic<uint8_t>& heat) {
    const unsigned now = heat.load(std::memory_order_relaxed);
    if (now == kHottest) return now;
    heat.store(static_cast<uint8_t>(now + 1), std::memory_order_relaxed);
    return now + 1;
  }

  // Old heat counts half: what was hot long ago makes room.
  void Cool() {
    for (uint64_t i = 0; i < windows_; i++)
      heat_[i].store(heat_[i].load(std::memory_order_relaxed) / 2, std::memory_order_relaxed);
    for (size_t i = 0; i < slots_; i++)
      held_[i].store(held_[i].load(std::memory_order_relaxed) / 2, std::memory_order_relaxed);
  }

  const uint64_t windows_;
  const size_t slots_;
  ZeroedArray<uint8_t> heat_;  // of windows, by index in the range
  ZeroedArray<uint8_t> held_;  // of the windows in the slots
};

}  // namespace blk

#endif  // RUMPBLK_CORE_ACCESS_WINDOW_CONTEST_H_
