// The part of Recording that looks at memory which is lent for stores.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/no_memory.h"
#include "lab/recording.h"

namespace blk::lab {

Status Recording::Lent(uint16_t domain, const LentStores& stores) {
  if (!setting_.compares) return {ENOTSUP, Op::kMap};
  Status status;
  const bool had = HadMemory([&] {
    status = bases_[domain]->Preserve(stores.at.value, stores.size, store_);
    if (!status.ok() || stopped_.load(std::memory_order_acquire)) return;
    Looked looked{stores, domain, 0, {stores.data, stores.data + stores.size}};
    MutexLock lent(lent_mu_);
    {
      MutexLock lock(mu_);
      looked.since = next_++;
    }
    lent_.push_back(std::move(looked));
    was_lent_.store(true, std::memory_order_relaxed);
  });
  return had ? status : Status{ENOMEM, Op::kMap};
}

void Recording::Returned(const LentStores& stores) {
  MutexLock lent(lent_mu_);
  const auto looked = std::find_if(lent_.begin(), lent_.end(), [&](const Looked& each) {
    return each.stores.data == stores.data && each.stores.at.value == stores.at.value &&
           each.stores.size == stores.size;
  });
  if (looked == lent_.end()) return;
  CompareOne(*looked);
  lent_.erase(looked);
}

void Recording::Compare() {
  if (!was_lent_.load(std::memory_order_relaxed)) return;
  MutexLock lent(lent_mu_);
  for (Looked& looked : lent_) CompareOne(looked);
}

void Recording::CompareOne(Looked& looked) {
  if (stopped_.load(std::memory_order_acquire)) return;
  const uint64_t unit = setting_.atomic_unit;
  const LentStores& stores = looked.stores;
  Status status;
  const bool had = HadMemory([&]() REQUIRES(lent_mu_) {
    // Copied first: who stores meanwhile is seen the next time.
    std::vector<uint8_t> now(stores.data, stores.data + stores.size);
    // To where the first atom that is the same ends.
    const auto end_of = [&](size_t at) {
      return static_cast<size_t>(std::min<uint64_t>(stores.size, unit - (stores.at.value + at) % unit + at));
    };
    const auto differs = [&](size_t at) { return std::memcmp(&now[at], &looked.held[at], end_of(at) - at) != 0; };
    std::swap(now, looked.held);
    for (size_t at = 0; at < stores.size && status.ok();) {
      const size_t from = at;
      while (at < stores.size && differs(at)) at = end_of(at);
      if (at > from) status = AddStores(looked, from, at);
      if (at < stores.size) at = end_of(at);
    }
    MutexLock lock(mu_);
    looked.since = next_++;
  });
  if (!had) status = {ENOMEM, Op::kTrack};
  if (!status.ok()) Fail(status);
}

Status Recording::AddStores(const Looked& looked, size_t from, size_t to) {
  const MediumSpan span{{looked.stores.at.value + from}, {looked.stores.at.value + to}};
  const auto data = store_.Keep(looked.held.data() + from, to - from);
  if (!data.ok()) return data.status();
  MutexLock lock(mu_);
  for (size_t i = 0; i < parts_.size(); i++) {
    const MediumSpan met = parts_[i].domain == looked.domain ? span.CutTo(parts_[i].span) : MediumSpan{};
    if (met.empty()) continue;
    Event* const event = NewEvent();
    event->device = static_cast<uint16_t>(i);
    event->stores = true;
    event->promise = looked.stores.unsafe ? Promise::kNothing : Promise::kPlain;
    event->stack = stack_.load(std::memory_order_relaxed);
    event->begin = looked.since;
    event->end = NextNumber();
    event->at = met.begin.value;
    event->length = event->moved = met.end.value - met.begin.value;
    event->data = data.value() + (met.begin.value - span.begin.value);
  }
  return Status::Ok();
}

}  // namespace blk::lab
