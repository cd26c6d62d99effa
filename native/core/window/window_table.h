// WindowTable: mapped windows found without a lock, for reads under `access: 'auto'`. A window has one possible slot,
// its number modulo the number of slots; a lookup is one load, plus a reference count where windows can be replaced.
// With as many slots as the range has windows nothing is ever replaced, and lookups write nothing that threads share.
// A request that does not find its window does not wait: the caller reads by pread.
// Thread-safe; lock-free but for the system calls of Replace().
// Why: a list under a mutex makes two threads 2.5 x slower than one; remapping costs as much as eight preads.
#ifndef RUMPBLK_CORE_WINDOW_WINDOW_TABLE_H_
#define RUMPBLK_CORE_WINDOW_WINDOW_TABLE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "core/window/window.h"

namespace blk {

class WindowTable final : public WindowOwner {
 public:
  // Maps the first windows of the range, as many as there are slots. One that cannot be mapped stays empty; its
  // requests are pread's.
  WindowTable(HostIo& host, int fd, MapMode mode, const WindowGeometry& geometry);
  ~WindowTable();
  WindowTable(const WindowTable&) = delete;
  WindowTable& operator=(const WindowTable&) = delete;

  // The window around `at`, or nothing when it is not mapped. Never blocks.
  // REQUIRES: `at` lies in the geometry's range.
  std::optional<WindowRef> Find(HostOffset at);

  // The same with a reference that is counted, and seen in List(), even where nothing is ever replaced. Nothing as well
  // when the window has as many as can be counted.
  std::optional<WindowRef> Pin(HostOffset at);

  // Maps the window around `at` in the place of the one in its slot. -> false when that is in use, or mapping fails.
  bool Replace(HostOffset at);

  // True when every window of the range has a slot of its own.
  bool covers() const { return covers_; }
  const WindowGeometry& geometry() const { return geometry_; }
  // Slot of the window around `at`, below slot_count().
  size_t SlotOf(HostOffset at) const { return static_cast<size_t>((NumberOf(at) - geometry_.first()) % slot_count_); }
  size_t slot_count() const { return slot_count_; }

  // The mapped windows, lowest slot first.
  std::vector<WindowInfo> List() const;

  // Unmaps every window. REQUIRES: no reference is held, none is asked for. Errors: the first that munmap reports.
  Status UnmapAll();

 private:
  // `word` is the window's number plus one in the upper bits, 0 for an empty slot, kBusy while it is being replaced,
  // and the count of references in the lower ones. A reference is first counted and then checked against the number, so
  // that a replacement, which wants the count to be zero, never takes a window from under a reader.
  struct Slot {
    std::atomic<uint64_t> word{0};
    Mapping mapping;
  };
  static constexpr unsigned kRefBits = 16;
  // References that a window can be held by. Half of what the bits hold: those who count themselves in to look, and out
  // again, are as many as there are threads, and a count that overflows would change the number above it.
  static constexpr uint64_t kMostRefs = uint64_t{1} << (kRefBits - 1);
  static constexpr uint64_t kBusy = ~uint64_t{0} >> kRefBits;

  uint64_t NumberOf(HostOffset at) const { return at.value / geometry_.size; }
  static uint64_t RefsOf(uint64_t word) { return word & ((uint64_t{1} << kRefBits) - 1); }
  static uint64_t Tag(uint64_t number) { return (number + 1) << kRefBits; }
  void Release(void* window) override;
  // Maps window `number` into a slot whose tag, in place, is `tag_now`, and publishes it; empties the slot on failure.
  bool Fill(Slot& slot, uint64_t number, uint64_t tag_now);

  HostIo& host_;
  const int fd_;
  const MapMode mode_;
  const WindowGeometry geometry_;
  const unsigned shift_;
  const size_t slot_count_;
  const bool covers_;
  std::unique_ptr<Slot[]> slots_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WINDOW_WINDOW_TABLE_H_
