#include "core/request/flush_state.h"

namespace blk {

void FlushState::BeginStores(StoreSource& source) {
  MutexLock lock(mu_);
  source.listed_ = sources_.insert(sources_.end(), &source);
  // Under the lock like the list; counted apart for Sync(), which looks before it takes the lock.
  stores_.fetch_add(1, std::memory_order_acq_rel);
}

void FlushState::EndStores(StoreSource& source, Status why) {
  // In this order: a flush in between sees the mark, or the source, or both, and never neither.
  MarkDirty();
  stores_.fetch_sub(1, std::memory_order_acq_rel);
  MutexLock lock(mu_);
  // Reset() has forgotten it: the open that it belonged to is closed.
  if (!source.listed_) return;
  sources_.erase(*source.listed_);
  source.listed_.reset();
  if (!Hear(source).empty()) Remember(why);
}

MediumSpan FlushState::Hear(StoreSource& source) {
  const MediumSpan lost = source.Lost();
  const MediumSpan& known = source.noted_;
  if (known.empty()) {
    untold_.Add(lost);
  } else {
    // It grows at its ends, and what was known may have been told.
    untold_.Add({lost.begin, known.begin});
    untold_.Add({known.end, lost.end});
  }
  source.noted_ = lost;
  return lost;
}

MediumSpan FlushState::LostStores() {
  MutexLock lock(mu_);
  MediumSpan lost;
  for (StoreSource* source : sources_) lost = lost.With(Hear(*source));
  return lost;
}

MediumSpan FlushState::TakeLoss(MediumSpan within) {
  MutexLock lock(mu_);
  for (StoreSource* source : sources_) Hear(*source);
  return untold_.Take(within);
}

}  // namespace blk
