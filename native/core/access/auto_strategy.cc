#include "core/access/auto_strategy.h"

#include <algorithm>

#include "core/host/copy.h"

namespace blk {
namespace {

constexpr int64_t kRemapCost = 10'000;  // ns: munmap and mmap, about

MediumOffset EndOf(const DeviceRange& range) { return {range.begin.value + range.size}; }

}  // namespace

AutoStrategy::AutoStrategy(const DeviceRange& range, WindowTable& windows, DiskChannel& disk)
    : BoundedStrategy(range),
      medium_(*disk.channel().windows()),
      fills_holes_(medium_.FillsHoles()),
      windows_(windows),
      disk_(disk),
      policy_(range.begin, EndOf(range)),
      contest_(windows.geometry().needed(), windows.slot_count()),
      residency_(medium_, range.begin, EndOf(range)) {}

Moved AutoStrategy::Move(const Piece& piece, MediumOffset at, size_t size) {
  // Never through the map: a store pages in what it overwrites, and a full disk is a SIGBUS there and an ENOSPC here
  // (B36). What was written shows in the map all the same, through the page cache.
  if (piece.operation == Operation::kWrite) return disk_.Move(piece, at, size);
  if (!piece.nowait) return Read(piece, at, size);
  if (host_tells_.load(std::memory_order_relaxed)) {
    const Moved moved = Read(piece, at, size);
    if (moved.status.err != EOPNOTSUPP) return moved;
    host_tells_.store(false, std::memory_order_relaxed);
  }
  // tmpfs: its preads do not wait for what is in memory either, but only the windows show what is.
  if (!IsResident(at, size)) return {0, {EOPNOTSUPP, Op::kStrategy}};
  Piece resident = piece;
  resident.nowait = false;
  return Read(resident, at, size);
}

Moved AutoStrategy::Apply(const Piece& piece, MediumOffset at, size_t size) {
  const Moved moved = disk_.Apply(piece, at, size);
  // A warm block may have a hole now.
  if (fills_holes_ && Mutates(piece.operation) && size > 0) policy_.ForgetSome(at, {at.value + size});
  return moved;
}

// Block by block; neighbours that are pread's go to the host in one call.
Moved AutoStrategy::Read(const Piece& piece, MediumOffset at, size_t size) {
  size_t done = 0;  // moved so far
  size_t next = 0;  // decided so far; [done, next) is pread's
  uint64_t hits = 0;
  const auto catch_up = [&]() -> Moved {
    if (next == done) return {};
    Moved moved = disk_.MoveSome(piece, piece.data + done, {at.value + done}, next - done);
    // It comes again as a read that may wait, which is then the first one of its blocks, not the second.
    if (piece.nowait && IsUndone(moved.status)) policy_.Forget({at.value + done}, {at.value + next});
    done += moved.bytes;
    return moved;
  };
  while (next < size) {
    if (IsCancelled(piece.cancel)) return {done, {ECANCELED, Op::kStrategy}};
    const MediumOffset here{at.value + next};
    const size_t step = std::min(size - next, MapPolicy::RoomFrom(here));
    // Held for this step alone: a window that is held cannot be replaced.
    const auto window = Find(here, step, piece.lane);
    const auto path = window ? Choose(piece, *window, here, step) : MapPolicy::Path::kPread;
    if (path == MapPolicy::Path::kCopy) {
      // Behind a run that is pread's: that is read first, so that what has moved is always a prefix.
      const Moved moved = catch_up();
      if (!moved.status.ok()) return {done, moved.status};
      // When it fails, the step stays between done and next, and goes by pread with what follows it.
      if (Copy(*window, piece.data + next, here, step, piece.lane)) {
        done += step;
        hits++;
      }
    }
    next += step;
    if (path == MapPolicy::Path::kInvest || path == MapPolicy::Path::kContinue) {
      const int64_t start = medium_.Nanoseconds();
      const Moved moved = catch_up();
      if (!moved.status.ok()) return {done, moved.status};
      Invest(*window, here, path, medium_.Nanoseconds() - start, piece.lane);
    }
  }
  const Moved moved = catch_up();
  // Not for a read that has to begin again because it must not wait.
  if (hits > 0 && !(piece.nowait && IsUndone(moved.status)))
    range().counters->Add(Counter::kWindowHits, hits, piece.lane);
  return {done, moved.status};
}

// The head is enough: it starts the walk through the page tables, and the processor sees a stream from there on.
void AutoStrategy::ExpectRead(MediumOffset at, size_t size) {
  constexpr size_t kHead = 512;
  if (!windows_.covers()) return;  // a look-up would count a reference, which costs what the hint saves
  const auto window = windows_.Find(at);
  // A page that is not in the page table is left alone by the processor: no fault, and nothing fetched.
  if (window) PrefetchBytes(window->At(at), std::min({size, kHead, window->RoomFrom(at)}));
}

MapPolicy::Path AutoStrategy::Choose(const Piece& piece, const WindowRef& window, MediumOffset at, size_t size) {
  const MapPolicy::Path path = policy_.Choose(at, size, piece.lane);
  if (path != MapPolicy::Path::kCopy || !piece.nowait || piece.may_fault) return path;
  if (residency_.Check(window, at, size)) return path;
  return MapPolicy::Path::kPread;
}

void AutoStrategy::Invest(const WindowRef& window, MediumOffset at, MapPolicy::Path path, int64_t pread_ns, Lane lane) {
  const uint64_t begin = std::max(AlignDown(at.value, MapPolicy::kBlock), window.start());
  const size_t size =
      static_cast<size_t>(std::min<uint64_t>(MapPolicy::kBlock, window.start() + window.size() - begin));
  const int64_t start = medium_.Nanoseconds();
  const bool ask = path == MapPolicy::Path::kContinue || fills_holes_;
  if (ask && !residency_.Ask(window, begin, size)) return;
  // A read that nobody needs, but for the page fault: it maps all pages around that are in memory.
  static_cast<void>(*static_cast<const volatile uint8_t*>(window.At(at)));
  policy_.Invested(at, pread_ns, medium_.Nanoseconds() - start, lane);
}

bool AutoStrategy::IsResident(MediumOffset at, size_t size) {
  // One window or none: a read across two is not known to be resident.
  const auto window = windows_.Find(at);
  return window && window->RoomFrom(at) >= size && !window->poisoned() && residency_.Check(*window, at, size);
}

std::optional<WindowRef> AutoStrategy::Find(MediumOffset at, size_t size, Lane lane) {
  std::optional<WindowRef> window = windows_.Find(at);
  if (window && window->RoomFrom(at) >= size && !window->poisoned()) return window;
  policy_.Earn(lane);
  if (!window && !windows_.covers()) Challenge(at, lane);
  return std::nullopt;
}

bool AutoStrategy::Copy(const WindowRef& window, uint8_t* data, MediumOffset at, size_t size, Lane lane) {
  CopyBytes(data, window.At(at), size);
  // Zeros of the page guard may be among what was copied: again, by a call that names the error.
  if (window.poisoned()) return false;
  if (!windows_.covers()) contest_.Defend(windows_.SlotOf(at));
  if (policy_.WantsFaults(lane)) policy_.TellFaults(medium_.MajorFaults(), lane);
  return true;
}

void AutoStrategy::Challenge(MediumOffset at, Lane lane) {
  const WindowGeometry& geometry = windows_.geometry();
  const uint64_t index = at.value / geometry.size - geometry.first();
  const size_t slot = windows_.SlotOf(at);
  if (!contest_.Challenge(index, slot) || !policy_.Affords(kRemapCost, lane)) return;
  const int64_t begun = medium_.Nanoseconds();
  if (!windows_.Replace(at)) return;
  policy_.Spend(medium_.Nanoseconds() - begun, lane);
  // The window starts with the heat that brought it here, and cold: none of its pages is in the page table.
  contest_.Take(index, slot);
  const uint64_t start = geometry.StartOf(at);
  policy_.Forget({std::max(start, geometry.begin.value)}, {start + geometry.LengthAt(start)});
  // Of the request that made the mapping, although it is served by pread itself.
  range().counters->Add(Counter::kWindowMisses, 1, lane);
}

}  // namespace blk
