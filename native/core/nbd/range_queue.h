// RangeQueue: who may change which blocks, of a server whose smallest block is more than a byte: to write a part of one
// its rest is read and written back, which nobody else may have changed meanwhile. Nobody waits here: whoever has to is
// called when its turn has come, in order among those that overlap. Thread-safe. Lock order: mu_ is a leaf.
#ifndef RUMPBLK_CORE_NBD_RANGE_QUEUE_H_
#define RUMPBLK_CORE_NBD_RANGE_QUEUE_H_

#include <cstdint>

#include "core/base/sync.h"

namespace blk::nbd {

class RangeQueue {
 public:
  // A place in the queue; its owner keeps it from Enter() to Leave().
  struct Place {
    uint64_t begin = 0, end = 0;  // bytes [begin, end)
    // By any thread, perhaps inside Enter(); not under the lock. *this may be gone when it returns.
    void (*granted)(Place& place) = nullptr;

    // The queue's.
    bool has = false;
    Place* next = nullptr;
    Place* before = nullptr;
    Place* to_call = nullptr;
  };

  void Enter(Place& place) EXCLUDES(mu_) {
    {
      MutexLock lock(mu_);
      place.has = !MeetsEarlier(place, last_);
      place.next = nullptr;
      place.before = last_;
      (last_ == nullptr ? first_ : last_->next) = &place;
      last_ = &place;
      if (!place.has) return;
    }
    place.granted(place);
  }

  // REQUIRES: it was granted.
  void Leave(Place& place) EXCLUDES(mu_) {
    Place* called = nullptr;
    {
      MutexLock lock(mu_);
      (place.before == nullptr ? first_ : place.before->next) = place.next;
      (place.next == nullptr ? last_ : place.next->before) = place.before;
      Place** end = &called;
      for (Place* one = place.next; one != nullptr; one = one->next) {
        if (one->has || MeetsEarlier(*one, one->before)) continue;
        one->has = true;
        one->to_call = nullptr;
        *end = one;
        end = &one->to_call;
      }
    }
    while (called != nullptr) {
      Place& one = *called;
      called = one.to_call;
      one.granted(one);
    }
  }

 private:
  // Whether one of those from `from` on towards the first is in the way.
  bool MeetsEarlier(const Place& place, const Place* from) const REQUIRES(mu_) {
    for (; from != nullptr; from = from->before) {
      if (from->begin < place.end && place.begin < from->end) return true;
    }
    return false;
  }

  Mutex mu_;
  Place* first_ GUARDED_BY(mu_) = nullptr;
  Place* last_ GUARDED_BY(mu_) = nullptr;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_RANGE_QUEUE_H_
