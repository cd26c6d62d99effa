// The part of Recording that ends it, gives its events, and takes those of one that is loaded.
#include <algorithm>
#include <cerrno>

#include "lab/recording.h"

namespace blk::lab {

Status Recording::Stop() {
  if (!stopped_.load(std::memory_order_acquire)) Compare();
  stopped_.store(true, std::memory_order_release);
  return status();
}

Status Recording::status() const {
  MutexLock lock(mu_);
  return failed_;
}

Status Recording::Add(Event event) {
  if (event.kind != Kind::kMark) {
    if (event.device >= parts_.size()) return {EINVAL, Op::kTrack};
    const MediumSpan& span = parts_[event.device].span;
    if (event.writes()) {
      if (event.at < span.begin.value || event.at > span.end.value) return {EINVAL, Op::kTrack};
      if (event.length > span.end.value - event.at || event.moved > event.length) return {EINVAL, Op::kTrack};
    }
    if (event.end != kNever && event.end <= event.begin) return {EINVAL, Op::kTrack};
    if (event.kind == Kind::kWrite) {
      const auto kept = store_.Keep(event.data, static_cast<size_t>(event.length));
      if (!kept.ok()) return kept.status();
      event.data = kept.value();
    }
  }
  MutexLock lock(mu_);
  *NewEvent() = event;
  next_ = std::max(next_, event.begin + 1);
  if (event.end != kNever) next_ = std::max(next_, event.end + 1);
  last_ = next_ - 1;
  if (event.kind == Kind::kMark) marks_++;
  if (event.stores) was_lent_.store(true, std::memory_order_relaxed);
  return Status::Ok();
}

std::vector<Event> Recording::Events() const {
  std::vector<Event> events;
  {
    MutexLock lock(mu_);
    events.reserve(count_);
    for (size_t i = 0; i < count_; i++) events.push_back((*chunks_[i / kChunk])[i % kChunk]);
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.begin < b.begin; });
  return events;
}

uint64_t Recording::version() const {
  MutexLock lock(mu_);
  return version_;
}
uint64_t Recording::end() const {
  MutexLock lock(mu_);
  return last_ + 1;
}
size_t Recording::requests() const {
  MutexLock lock(mu_);
  return count_ - marks_;
}
size_t Recording::marks() const {
  MutexLock lock(mu_);
  return marks_;
}

}  // namespace blk::lab
