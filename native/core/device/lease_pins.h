// LeasePins: which windows of one open are leased, and the rule that requests must always find one that is not: where
// windows are replaced, the last free one is not leased. LeasePin: sole owner of one such pin.
// Thread-safe. Lock order: mu_ is a leaf.
#ifndef RUMPBLK_CORE_DEVICE_LEASE_PINS_H_
#define RUMPBLK_CORE_DEVICE_LEASE_PINS_H_

#include <cstdint>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "core/base/sync.h"
#include "core/window/window.h"

namespace blk {

class LeasePins;

// One lease's hold on a window. Move-only; unpins when it goes. The LeasePins outlive it.
class LeasePin {
 public:
  LeasePin(LeasePins& pins, uint64_t number) : pins_(&pins), number_(number) {}
  LeasePin(LeasePin&& other) noexcept : pins_(std::exchange(other.pins_, nullptr)), number_(other.number_) {}
  LeasePin& operator=(LeasePin&&) = delete;
  LeasePin(const LeasePin&) = delete;
  LeasePin& operator=(const LeasePin&) = delete;
  inline ~LeasePin();

 private:
  LeasePins* pins_;
  uint64_t number_;
};
static_assert(!std::is_copy_constructible_v<LeasePin>);

class LeasePins {
 public:
  // Pins window `number`, as often as it is asked. -> nothing when that would be the last one that requests can use:
  // each of them holds one window at most, so a single free one is enough for all to go on. Windows that need no
  // replacing are never in anybody's way.
  std::optional<LeasePin> Pin(const WindowGeometry& geometry, uint64_t number) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    const bool replaced = geometry.needed() > geometry.count;
    if (replaced && pins_.find(number) == pins_.end() && pins_.size() + 1 >= geometry.count) return std::nullopt;
    pins_[number]++;
    return std::make_optional<LeasePin>(*this, number);
  }
  // Whether a window is leased at this moment.
  bool Any() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return !pins_.empty();
  }

 private:
  friend class LeasePin;
  void Unpin(uint64_t number) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    const auto pin = pins_.find(number);
    if (--pin->second == 0) pins_.erase(pin);
  }

  mutable Mutex mu_;
  std::unordered_map<uint64_t, uint32_t> pins_ GUARDED_BY(mu_);  // leases by window number
};

LeasePin::~LeasePin() {
  if (pins_ != nullptr) pins_->Unpin(number_);
}

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_LEASE_PINS_H_
