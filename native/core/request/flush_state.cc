#include "core/request/flush_state.h"

namespace blk {

std::optional<Status> FlushState::Known(uint64_t wanted, uint64_t losses) const {
  if (!error_.ok()) return error_;
  // It was about our writes as well, and the next one would not tell of them any more.
  if (losses_told_ != losses && lost_covered_ >= wanted) return lost_status_;
  if (synced_ >= wanted) return Status::Ok();
  return std::nullopt;
}

void FlushState::BeginSync() {
  syncing_ = true;
  // Read again: writes that have come while others waited are covered as well. Before the sync begins, not after: what
  // is marked meanwhile may have come too late for it.
  covering_ = written_.load(std::memory_order_acquire);
}

Status FlushState::EndSync(Status status) {
  syncing_ = false;
  if (status.ok()) {
    if (synced_ < covering_) synced_ = covering_;
  } else {
    Remember(status);
    if (status.why == Why::kNbdUnflushed) {
      losses_told_++;
      lost_covered_ = covering_;
      lost_status_ = status;
    }
  }
  done_.NotifyAll();
  return error_.ok() ? status : error_;
}

FlushState::Waiters FlushState::TakeAnswered(FlushWaiter** next) {
  Waiters answered, waiting;
  for (FlushWaiter* one = waiting_.first; one != nullptr;) {
    FlushWaiter& waiter = *one;
    one = waiter.next;
    const auto known = Known(waiter.wanted, waiter.losses);
    if (known) waiter.status = *known;
    if (known) {
      answered.Push(waiter);
    } else if (*next == nullptr) {
      *next = &waiter;
    } else {
      waiting.Push(waiter);
    }
  }
  waiting_ = waiting;
  if (*next != nullptr) BeginSync();
  return answered;
}

void FlushState::Start(FlushWaiter& waiter) {
  waiter.reached_host = false;
  waiter.wanted = Wanted();
  std::optional<Status> known;
  {
    MutexLock lock(mu_);
    waiter.losses = losses_told_;
    known = Known(waiter.wanted, waiter.losses);
    if (!known && syncing_) return waiting_.Push(waiter);
    if (!known) BeginSync();
  }
  if (known) return waiter.done(waiter, *known);
  GoOn({}, &waiter);
}

void FlushState::Synced(FlushWaiter& waiter, Status status) {
  FlushWaiter* next = nullptr;
  Waiters answered;
  {
    MutexLock lock(mu_);
    waiter.status = status;
    waiter.ended = true;
    // GoOn() takes it from here: those that end inside `begin` would lie one in another.
    if (!waiter.returned) return;
    waiter.status = EndSync(status);
    answered = TakeAnswered(&next);
  }
  waiter.done(waiter, waiter.status);
  GoOn(answered, next);
}

void FlushState::GoOn(Waiters answered, FlushWaiter* next) {
  for (;;) {
    while (answered.first != nullptr) {
      FlushWaiter& one = *answered.first;
      answered.first = one.next;
      one.done(one, one.status);
    }
    if (next == nullptr) return;
    FlushWaiter& waiter = *next;
    next = nullptr;
    waiter.reached_host = true;
    waiter.returned = waiter.ended = false;
    waiter.begin(waiter);
    {
      MutexLock lock(mu_);
      waiter.returned = true;
      if (!waiter.ended) return;
      waiter.status = EndSync(waiter.status);
      answered = TakeAnswered(&next);
    }
    waiter.done(waiter, waiter.status);
  }
}

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
