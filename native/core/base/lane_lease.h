// Lane: which set of counts, and of other things that threads keep apart, a thread uses. The shared lane is right for
// everybody, and takes a locked add for each count; a lane that a LaneLease has is its thread's alone, and a third of
// the price. Lanes: which of one driver's lanes are leased. LaneLease: sole owner of one of them. Lanes is thread-safe,
// without locks. A lease is one thread's at a time.
#ifndef RUMPBLK_CORE_BASE_LANE_LEASE_H_
#define RUMPBLK_CORE_BASE_LANE_LEASE_H_

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace blk {

// The lanes below kSharedLane are leased; whoever has no lease uses kSharedLane, which is what every request starts
// with.
using Lane = uint8_t;
inline constexpr Lane kSharedLane = 15;

class LaneLease;

class Lanes {
 public:
  Lanes() = default;
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

 private:
  friend class LaneLease;

  // -> the lowest lane that nobody has, and kSharedLane when there is none.
  Lane Take() {
    uint32_t taken = taken_.load(std::memory_order_relaxed);
    for (;;) {
      const Lane lane = static_cast<Lane>(std::countr_one(taken));
      if (lane >= kSharedLane) return kSharedLane;
      // Acquire, with the release in Give(): the thread that had it before has counted for the last time.
      if (taken_.compare_exchange_weak(taken, taken | 1u << lane, std::memory_order_acquire)) return lane;
    }
  }
  void Give(Lane lane) {
    if (lane < kSharedLane) taken_.fetch_and(~(1u << lane), std::memory_order_release);
  }

  std::atomic<uint32_t> taken_{0};  // a bit for each lane
};

// For as long as it lives. Neither copied nor moved: it stands beside what its thread counts.
class LaneLease {
 public:
  // Keeps `lanes`; null: there are none to lease.
  explicit LaneLease(std::shared_ptr<Lanes> lanes)
      : lanes_(std::move(lanes)), lane_(lanes_ ? lanes_->Take() : kSharedLane) {}
  // REQUIRES: its thread counts no more.
  ~LaneLease() {
    if (lanes_) lanes_->Give(lane_);
  }
  LaneLease(const LaneLease&) = delete;
  LaneLease& operator=(const LaneLease&) = delete;

  // To be used by one thread at a time; kSharedLane when all were leased already.
  Lane lane() const { return lane_; }

 private:
  const std::shared_ptr<Lanes> lanes_;
  const Lane lane_;
};
static_assert(!std::is_copy_constructible_v<LaneLease> && !std::is_move_constructible_v<LaneLease>);

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_LANE_LEASE_H_
