#include "core/window/window_cache.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/base/no_memory.h"

namespace blk {

WindowCache::WindowCache(MediumWindows& medium, MapMode mode, const WindowGeometry& geometry, Counters& counters)
    : medium_(medium), mode_(mode), geometry_(geometry), counters_(counters) {}

Result<std::unique_ptr<WindowCache>> WindowCache::Create(MediumWindows& medium, MapMode mode,
                                                         const WindowGeometry& geometry, Counters& counters) {
  assert(IsPowerOfTwo(geometry.size) && geometry.size >= PageSize() && geometry.needed() > 0);
  // Unmaps what it has if one of the first windows cannot be mapped.
  std::unique_ptr<WindowCache> cache(new WindowCache(medium, mode, geometry, counters));
  Status status = cache->MapFirstWindows();
  if (!status.ok()) return status;
  return cache;
}

WindowCache::~WindowCache() { static_cast<void>(UnmapAll()); }

Status WindowCache::MapFirstWindows() {
  const uint64_t count = std::min<uint64_t>(geometry_.count, geometry_.needed());
  MutexLock lock(mu_);
  // As many as there will ever be. List nodes never move: references and by_start_ point to them.
  order_.resize(count);
  for (uint64_t i = 0; i < count; i++) {
    // The last one each time: Remap() puts it to the head, so the window that was mapped first is at the tail in the
    // end.
    Status status = Remap(std::prev(order_.end()), (geometry_.first() + i) * geometry_.size, lock);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

Result<WindowRef> WindowCache::Acquire(MediumOffset at, Lane lane) {
  const uint64_t start = geometry_.StartOf(at);
  bool counted_busy = false;
  MutexLock lock(mu_);
  // After each wait from the beginning: while the mutex was away any window may have been mapped, taken or lost.
  for (;;) {
    const auto found = by_start_.find(start);
    Order::iterator window;
    if (found == by_start_.end()) {
      window = FindVictim();
      if (window == order_.end()) {
        Wait(&counted_busy, lane);
        continue;
      }
      Status status = Remap(window, start, lock);
      if (!status.ok()) return status;
      // Remap() came back with the mutex held, so nobody has taken the window before it is referenced below.
      counters_.Add(Counter::kWindowMisses, 1, lane);
    } else {
      window = found->second;
      if (window->state == State::kMapping) {
        Wait(&counted_busy, lane);
        continue;
      }
      counters_.Add(Counter::kWindowHits, 1, lane);
      order_.splice(order_.begin(), order_, window);
    }
    window->refs++;
    return WindowRef(*this, &*window, start, window->mapping);
  }
}

// From the tail to the first window that nobody holds: one pinned window at the tail blocks nobody (B8).
WindowCache::Order::iterator WindowCache::FindVictim() {
  for (auto it = order_.end(); it != order_.begin();) {
    --it;
    if (it->refs == 0 && it->state != State::kMapping) return it;
  }
  return order_.end();
}

void WindowCache::Wait(bool* counted, Lane lane) {
  if (!*counted) counters_.Add(Counter::kWindowBusy, 1, lane);
  *counted = true;
  waiters_++;
  changed_.Wait(mu_);
  waiters_--;
}

Status WindowCache::Remap(Order::iterator victim, uint64_t start, MutexLock& lock) NO_THREAD_SAFETY_ANALYSIS {
  if (!HadMemory([&]() REQUIRES(mu_) { by_start_.emplace(start, victim); })) return {ENOMEM, Op::kMmap};
  // From here on the place is taken: who looks for `start` finds the victim and waits, who looks for the old window
  // finds none, and nobody chooses this one again.
  if (victim->state == State::kReady) by_start_.erase(victim->start);
  victim->state = State::kMapping;
  victim->start = start;
  Mapping old = std::move(victim->mapping);

  lock.Unlock();
  // The old one first: an open never has more mappings than its window count.
  Status status = old.Unmap();
  Mapping fresh;
  if (status.ok()) {
    auto mapped = medium_.Map(MediumOffset{start}, geometry_.LengthAt(start), mode_);
    status = mapped.status();
    if (mapped.ok()) fresh = mapped.Take();
  }
  lock.Lock();

  victim->mapping = std::move(fresh);
  if (status.ok()) {
    victim->state = State::kReady;
    order_.splice(order_.begin(), order_, victim);
  } else {
    // At the tail, as the next victim: the request that got the failure goes on by pread and pwrite (B33).
    victim->state = State::kEmpty;
    by_start_.erase(start);
    order_.splice(order_.end(), order_, victim);
  }
  // Everybody: those who want this window and those who want any (B9).
  if (waiters_ > 0) changed_.NotifyAll();
  return status;
}

void WindowCache::Release(void* window) {
  MutexLock lock(mu_);
  // The cast undoes that of WindowRef's void*: only this class gave it one.
  Window* held = static_cast<Window*>(window);
  assert(held->refs > 0);
  // All, since they wait for different windows, and no turn is promised (B8, B9).
  if (--held->refs == 0 && waiters_ > 0) changed_.NotifyAll();
}

std::vector<WindowInfo> WindowCache::List() const {
  MutexLock lock(mu_);
  std::vector<WindowInfo> list;
  for (const Window& window : order_) {
    if (window.state == State::kReady) list.push_back({{window.start}, window.mapping.size(), window.refs});
  }
  return list;
}

Status WindowCache::UnmapAll() {
  Order windows;
  {
    MutexLock lock(mu_);
    // Unmapped outside the lock, as all system calls.
    windows.swap(order_);
    by_start_.clear();
  }
  Status first = Status::Ok();
  for (Window& window : windows) {
    assert(window.refs == 0 && window.state != State::kMapping);  // B35
    Status status = window.mapping.Unmap();
    if (first.ok() && !status.ok()) first = status;
  }
  return first;
}

}  // namespace blk
