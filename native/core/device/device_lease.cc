// The part of Device that lends memory: which window, or which mapping of its own, a lease gets.
#include <utility>

#include "core/device/device.h"

namespace blk {
namespace {

// Bytes. A lease of so many or more is likely to be gone through in order.
constexpr size_t kWorthReadahead = 128 * 1024;

}  // namespace

Result<std::unique_ptr<Lease>> Device::Map(uint64_t position, size_t length) {
  if (planned_) {
    const Status may = planned_->AdmitMap(position, length);
    if (!may.ok()) return may;
  }
  if (!cache_ && !table_) return Status{ENOTSUP, Op::kMap};
  if (range_.writable && !minor_->disk().log().allows_stores()) return Status{ENOTSUP, Op::kMap};
  const bool inside = position <= range_.size && length > 0 && length <= range_.size - position;
  if (!inside) return Status{EINVAL, Op::kMap};
  const MediumOffset at{range_.begin.value + position};
  // A lease lies in one window in every case, so that the same ranges can be mapped whatever the mode of the open.
  if (geometry_.StartOf(at) != geometry_.StartOf({at.value + length - 1})) return Status{EINVAL, Op::kMap};
  if (guard_ && guard_->Forbids({at, {at.value + length}})) return Status{EROFS, Op::kMap};
  if (!range_.writable) return MapOwn(at, length, MapMode::kCopyOnWrite, std::nullopt);
  auto lease = MapWindow(at, length);
  if (!lease.ok()) return lease;
  // Behind its beginning: who starts a log sees the lease, or is seen here.
  const Status recorded = lease.value()->Record(minor_->disk().log(), recorder_.unsafe());
  if (!recorded.ok()) return recorded;
  return lease;
}

Result<std::unique_ptr<Lease>> Device::MapOwn(MediumOffset at, size_t length, MapMode mode,
                                              std::optional<Lease::Shared> shared) {
  // mmap(2) begins at a page; AddressOf() in lease.cc skips the rest again.
  const size_t skip = static_cast<size_t>(at.value % PageSize());
  auto mapped = channel_->windows()->Map({at.value - skip}, skip + length, mode);
  if (!mapped.ok()) return mapped.status();
  return Lease::Create(mapped.Take(), at, length, *channel_->windows(), std::move(shared));
}

Result<std::unique_ptr<Lease>> Device::MapWindow(MediumOffset at, size_t length) {
  const uint64_t number = at.value / geometry_.size;
  // Pinned before the window is looked for: two leases at once would each find the last free one.
  const auto pin = pins_.Pin(geometry_, number);
  if (!pin) return Status{EBUSY, Op::kMap};
  // A window that is pinned already is always pinned once more.
  const auto shared = [&] {
    return Lease::Shared{range_.flush, std::move(*pins_.Pin(geometry_, number)), &minor_->disk().tracks()};
  };
  auto window = AcquireForLease(at);
  if (!window.ok()) return window.status();
  if (window.value()) {
    // For these bytes alone. Not for every lease: each advice is one mapping more, of which the host allows so many.
    if (table_ && length >= kWorthReadahead) window.value()->Advise(at, length, Advice::kNormal);
    auto lease = Lease::Create(std::move(*window.value()), at, length, *channel_->windows(), shared());
    // Not sound: it goes here, and its watch and pin with it.
    if (!lease.ok() || lease.value()->sound()) return lease;
  }
  return MapOwn(at, length, MapMode::kReadWrite, shared());
}

Result<std::optional<WindowRef>> Device::AcquireForLease(MediumOffset at) {
  if (cache_) {
    // Any thread may map, so no lane is its own.
    auto window = cache_->Acquire(at, kSharedLane);
    if (!window.ok()) return window.status();
    return std::optional<WindowRef>(window.Take());
  }
  // Once as it is, once after mapping it in the place of another.
  for (int tries = 0; tries < 2; tries++) {
    auto window = table_->Pin(at);
    if (window) return window;
    if (!table_->Replace(at)) break;
  }
  return std::optional<WindowRef>();
}

}  // namespace blk
