// WindowCache: the mapped windows of one open, least recently used last. A request that finds its window takes a
// reference; one that does not remaps the least recently used window that nobody holds, and waits when all are held.
// Thread-safe. Blocks in Acquire() while every window is in use; never holds its lock across a system call.
// Lock order: mu_ is a leaf.
// Model: rumpblk.c r1.31 lines 196-293 (getwindow, putwindow, wincleanup) and 475-494; differences in docs/seed-map.md.
#ifndef RUMPBLK_CORE_WINDOW_WINDOW_CACHE_H_
#define RUMPBLK_CORE_WINDOW_WINDOW_CACHE_H_

#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/base/counters.h"
#include "core/base/sync.h"
#include "core/medium/medium_windows.h"
#include "core/window/window.h"

namespace blk {

class WindowCache final : public WindowOwner {
 public:
  // Maps the first windows of the range, lowest offset first, so that the first one is the first victim. `medium`
  // and `counters` outlive it.
  // Errors: those of MediumWindows::Map(), which mean that this open cannot use windows at all.
  // REQUIRES: geometry.size is a power of two, at least a page; the range is not empty.
  static Result<std::unique_ptr<WindowCache>> Create(MediumWindows& medium, MapMode mode,
                                                     const WindowGeometry& geometry, Counters& counters);
  // Unmaps what UnmapAll() has not; a failure of that has nobody to go to.
  ~WindowCache();
  WindowCache(const WindowCache&) = delete;
  WindowCache& operator=(const WindowCache&) = delete;

  // Takes a reference on the window around `at`, mapping it first if need be, and makes it the most recently used.
  // Counts a hit, a miss, or that it had to wait, once each.
  // Errors: those of MediumWindows::Map() and Mapping::Unmap(); the caller falls back to pread and pwrite.
  // Thread: any; it waits while all windows are held, for as long as others copy.   Locks: EXCLUDES(mu_), and holds
  // none while it maps.   REQUIRES: `at` lies in the geometry's range, and the caller holds no window.
  Result<WindowRef> Acquire(MediumOffset at, Lane lane) EXCLUDES(mu_);

  // The mapped windows, most recently used first; one that is being mapped right now is not among them.
  std::vector<WindowInfo> List() const EXCLUDES(mu_);

  // Unmaps every window; there is none afterwards. REQUIRES: no reference is held, none is asked for (B35). Errors: the
  // first that munmap reports; all are unmapped in any case.
  Status UnmapAll() EXCLUDES(mu_);

 private:
  // kEmpty: maps nothing, because the last attempt failed; the first victim to be taken.
  enum class State : uint8_t { kEmpty, kMapping, kReady };
  // A window never leaves the list: while it is being mapped it stands there as kMapping, so that a second request for
  // the same place waits for it instead of mapping it again (B10).
  struct Window {
    State state = State::kEmpty;
    // Where it starts in the host file, or will, while kMapping.
    uint64_t start = 0;
    // Who holds it; 0 while it is kEmpty or kMapping.
    uint32_t refs = 0;
    Mapping mapping;
  };
  using Order = std::list<Window>;

  WindowCache(MediumWindows& medium, MapMode mode, const WindowGeometry& geometry, Counters& counters);

  // Of WindowRef, from any thread; wakes those who wait for a window when it was the last reference.
  void Release(void* window) override EXCLUDES(mu_);
  // -> the least recently used window that can be remapped, or end() when all are held (B8).
  Order::iterator FindVictim() REQUIRES(mu_);
  // Waits for any change; the caller looks again. Counts kWindowBusy once a request: `*counted` remembers it.
  void Wait(bool* counted, Lane lane) REQUIRES(mu_);
  // Gives the victim to `start`: on return it is kReady and at the head, or kEmpty and at the tail.
  // Steps out of `lock`, which holds mu_, for the system calls.
  Status Remap(Order::iterator victim, uint64_t start, MutexLock& lock) REQUIRES(mu_);
  // For Create(). Takes the lock although nobody else is there yet: Remap() steps out of it.
  Status MapFirstWindows() EXCLUDES(mu_);

  MediumWindows& medium_;
  const MapMode mode_;
  const WindowGeometry geometry_;
  Counters& counters_;

  mutable Mutex mu_;
  CondVar changed_;  // a reference was dropped, or a mapping attempt ended
  uint32_t waiters_ GUARDED_BY(mu_) = 0;
  Order order_ GUARDED_BY(mu_);                                             // most recently used first
  std::unordered_map<uint64_t, Order::iterator> by_start_ GUARDED_BY(mu_);  // windows that are not kEmpty
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WINDOW_WINDOW_CACHE_H_
