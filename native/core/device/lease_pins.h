// LeasePins: which windows of one open are leased, and the rule that requests must always find one that is not: where
// windows are replaced, the last free one is not leased.
// Thread-safe. Lock order: mu_ is a leaf.
#ifndef RUMPBLK_CORE_DEVICE_LEASE_PINS_H_
#define RUMPBLK_CORE_DEVICE_LEASE_PINS_H_

#include <cstdint>
#include <unordered_map>

#include "core/base/sync.h"
#include "core/window/window.h"

namespace blk {

class LeasePins {
 public:
  // Pins window number `number`. -> false when that would be the last free one.
  bool Pin(const WindowGeometry& geometry, uint64_t number) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    const bool replaced = geometry.needed() > geometry.count;
    if (replaced && pins_.find(number) == pins_.end() && pins_.size() + 1 >= geometry.count) return false;
    pins_[number]++;
    return true;
  }
  bool Any() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return !pins_.empty();
  }
  void Unpin(uint64_t number) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    const auto pin = pins_.find(number);
    if (--pin->second == 0) pins_.erase(pin);
  }

 private:
  mutable Mutex mu_;
  std::unordered_map<uint64_t, uint32_t> pins_ GUARDED_BY(mu_);  // leases by window number
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_LEASE_PINS_H_
