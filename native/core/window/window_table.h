// WindowTable: mapped windows found without a lock, for reads under `access: 'auto'`. A window has one possible slot,
// its number modulo the number of slots; a lookup is one load, plus a reference count where windows can be replaced.
// With as many slots as the range has windows nothing is ever replaced, and lookups write nothing that threads share.
// Pages that are not in memory come in one by one through these maps: auto's preads know better what to read ahead.
// A request that does not find its window does not wait: the caller reads by pread.
// Thread-safe; lock-free but for the system calls of Replace().
// Why: a list under a mutex makes two threads 2.5 x slower than one; remapping costs as much as eight preads.
#ifndef RUMPBLK_CORE_WINDOW_WINDOW_TABLE_H_
#define RUMPBLK_CORE_WINDOW_WINDOW_TABLE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "core/medium/medium_windows.h"
#include "core/window/window.h"

namespace blk {

class WindowTable final : public WindowOwner {
 public:
  // Maps the first windows of the range, as many as there are slots. One that cannot be mapped stays empty; its
  // requests are pread's. `medium` outlives it.
  // REQUIRES: geometry.size is a power of two, at least a page; the range is not empty.
  WindowTable(MediumWindows& medium, MapMode mode, const WindowGeometry& geometry);
  // Unmaps what UnmapAll() has not; a failure of that has nobody to go to.
  ~WindowTable();
  WindowTable(const WindowTable&) = delete;
  WindowTable& operator=(const WindowTable&) = delete;

  // The window around `at`, or nothing when it is not mapped. Counts a reference only where windows are replaced. Never
  // blocks.
  // Thread: any.   REQUIRES: `at` lies in the geometry's range.
  std::optional<WindowRef> Find(MediumOffset at);

  // The same with a reference that is counted, and seen in List(), even where nothing is ever replaced. Nothing as well
  // when the window has as many as can be counted.
  std::optional<WindowRef> Pin(MediumOffset at);

  // Maps the window around `at` in the place of the one in its slot. -> false when that is in use, has it already or is
  // being replaced, or when mapping fails, which leaves the slot empty.
  // Thread: any; of several for one slot, one succeeds.
  bool Replace(MediumOffset at);

  // True when every window of the range has a slot of its own.
  bool covers() const { return covers_; }
  const WindowGeometry& geometry() const { return geometry_; }
  // Slot of the window around `at`, below slot_count().
  size_t SlotOf(MediumOffset at) const {
    const uint64_t index = NumberOf(at) - first_;
    return static_cast<size_t>(covers_ ? index
                                       : index % slot_count_);  // a division costs as much as the rest of Find()
  }
  size_t slot_count() const { return slot_count_; }

  // The mapped windows, lowest slot first.
  std::vector<WindowInfo> List() const;

  // Unmaps every window; nothing is found afterwards. REQUIRES: no reference is held, none is asked for (B35). Errors:
  // the first that munmap reports; all are unmapped in any case.
  Status UnmapAll();

 private:
  // `word` is the window's number plus one in the upper bits, 0 for an empty slot, kBusy while it is being replaced,
  // and the count of references in the lower ones. A reference is first counted and then checked against the number, so
  // that a replacement, which wants the count to be zero, never takes a window from under a reader.
  struct Slot {
    std::atomic<uint64_t> word{0};
    // Written by whoever has made the word kBusy, or made the slot, and by nobody while the word shows a number; read
    // only by who holds a reference, or, where nothing is replaced, by who has seen the number.
    Mapping mapping;
  };
  // The other 48 hold numbers up to 2^53 / 4096, with one to spare for kBusy.
  static constexpr unsigned kRefBits = 16;
  // References that a window can be held by. Half of what the bits hold: those who count themselves in to look, and out
  // again, are as many as there are threads, and a count that overflows would change the number above it.
  static constexpr uint64_t kMostRefs = uint64_t{1} << (kRefBits - 1);
  static constexpr uint64_t kBusy = ~uint64_t{0} >> kRefBits;

  // Windows are numbered from the start of the host file, as in WindowGeometry.
  uint64_t NumberOf(MediumOffset at) const { return at.value >> shift_; }
  static uint64_t RefsOf(uint64_t word) { return word & ((uint64_t{1} << kRefBits) - 1); }
  static uint64_t Tag(uint64_t number) { return (number + 1) << kRefBits; }
  void Release(void* window) override;
  // Maps window `number` into a slot whose tag, in place, is `tag_now`, and publishes it; empties the slot on failure.
  bool Fill(Slot& slot, uint64_t number, uint64_t tag_now);

  MediumWindows& medium_;
  const MapMode mode_;
  const WindowGeometry geometry_;
  const unsigned shift_;  // log2 of the window size
  const uint64_t first_;  // number of the range's first window, geometry_.first()
  const size_t slot_count_;
  const bool covers_;
  std::unique_ptr<Slot[]> slots_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WINDOW_WINDOW_TABLE_H_
