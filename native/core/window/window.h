// Window: one mapped, aligned piece of the medium, and WindowRef, the reference that keeps it mapped. Windows start
// at multiples of the window size in the medium and end at its edge or at the end of the device's range. A window
// belongs to the WindowOwner that made it: WindowCache or WindowTable. Model: struct blkwin of rumpblk.c r1.31 lines
// 84-95; lengths come from the host range, not from the device size (B6).
#ifndef RUMPBLK_CORE_WINDOW_WINDOW_H_
#define RUMPBLK_CORE_WINDOW_WINDOW_H_

#include <type_traits>
#include <utility>

#include "core/base/status.h"
#include "core/base/units.h"
#include "core/host/mapping.h"

namespace blk {

// Where the windows of one open lie, all of it in medium coordinates: a device's own offset does not move the windows,
// and the number of windows and the length of each come from its range (B6, B7). Plain data.
struct WindowGeometry {
  uint64_t size = kDefaultWindowSize;    // bytes, a power of two, at least a page
  uint32_t count = kDefaultWindowCount;  // most windows mapped at once
  MediumOffset begin;                    // the device's range of the medium, [begin, end)
  MediumOffset end;

  // Number of the window that holds the first byte of the range; window n starts at n * size.
  uint64_t first() const { return begin.value / size; }
  // Windows that it takes to cover the range, 0 for an empty one. Of a range that begins in the middle of a window,
  // that window counts too (B7).
  uint64_t needed() const { return end.value <= begin.value ? 0 : (end.value - 1) / size - first() + 1; }
  // Where the window around `at` starts in the medium: at or before `begin` for the first one. All 64 bits count
  // (B3).
  uint64_t StartOf(MediumOffset at) const { return AlignDown(at.value, size); }
  // Bytes of the window that starts at `start`: all of it, or up to the end of the range.   REQUIRES: start < end.
  size_t LengthAt(uint64_t start) const {
    return static_cast<size_t>(end.value - start < size ? end.value - start : size);
  }
};

// What is told of a mapped window.
struct WindowInfo {
  MediumOffset offset;  // where it starts
  uint64_t length = 0;  // bytes
  uint32_t refs = 0;    // requests and leases that hold it at this moment
};

class WindowRef;

// What hands out windows and takes them back. An interface, so that one WindowRef serves both sets of windows.
class WindowOwner {
 public:
  // Takes back one reference. Called once by the last owner of a reference, on any thread. `window` is what the owner
  // gave to WindowRef, whose type it alone knows.
  virtual void Release(void* window) = 0;

 protected:
  ~WindowOwner() = default;
};

// Keeps one window mapped while it lives. Move-only, held by one thread at a time. Held for one copy, or by a lease:
// whoever holds one waits for no other, so that a single window is enough for all to go on.
class WindowRef {
 public:
  // A window that stays mapped as long as its owner does: nothing to give back.
  WindowRef(uint64_t start, const Mapping& mapping)
      : owner_(nullptr), window_(nullptr), start_(start), mapping_(&mapping) {}
  // One that `owner` counts, and gets back when this object goes.
  WindowRef(WindowOwner& owner, void* window, uint64_t start, const Mapping& mapping)
      : owner_(&owner), window_(window), start_(start), mapping_(&mapping) {}
  WindowRef(WindowRef&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)),
        window_(other.window_),
        start_(other.start_),
        mapping_(other.mapping_) {}
  // Not assigned to: that would give back one window in the middle of using another.
  WindowRef& operator=(WindowRef&&) = delete;
  WindowRef(const WindowRef&) = delete;
  WindowRef& operator=(const WindowRef&) = delete;
  ~WindowRef() {
    if (owner_ != nullptr) owner_->Release(window_);
  }

  // Address of medium offset `at`. REQUIRES: `at` lies in the window.
  uint8_t* At(MediumOffset at) const { return mapping_->data() + (at.value - start_); }
  // Bytes from `at` to the window's end.   REQUIRES: `at` lies in the window.
  size_t RoomFrom(MediumOffset at) const { return mapping_->size() - static_cast<size_t>(at.value - start_); }
  // Where the window starts in the medium, and its bytes.
  uint64_t start() const { return start_; }
  size_t size() const { return mapping_->size(); }
  // As Mapping::poisoned(): asked after each copy, since only then it says something about that copy (B34).
  bool poisoned() const { return mapping_->poisoned(); }
  // Makes [at, at + size) durable. Errors: those of Mapping::Sync().   REQUIRES: the range lies in the window.
  Status Sync(MediumOffset at, size_t size) const {
    return mapping_->Sync(static_cast<size_t>(at.value - start_), size);
  }

  // As Mapping::Advise().   REQUIRES: the range lies in the window.
  void Advise(MediumOffset at, size_t size, Advice advice) const {
    mapping_->Advise(static_cast<size_t>(at.value - start_), size, advice);
  }

 private:
  // Null: nothing to give back, or moved from.
  WindowOwner* owner_;
  void* window_;
  uint64_t start_;
  // In the owner's window, which keeps its place as long as it is held.
  const Mapping* mapping_;
};
static_assert(!std::is_copy_constructible_v<WindowRef>);

}  // namespace blk

#endif  // RUMPBLK_CORE_WINDOW_WINDOW_H_
