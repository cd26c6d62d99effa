// TrackedChanges: what was changed on a device since DeviceGroup::Track(), or since it was last taken, and the end of
// that with its owner. What Take() gives has the marks and gets no more. Of DeviceGroup::Keep() the medium keeps the
// marks, and goes on when the owner ends.
// Thread-safe, but for its destruction. Lock order: before DeviceGroup's.
#ifndef RUMPBLK_CORE_DEVICE_TRACKED_CHANGES_H_
#define RUMPBLK_CORE_DEVICE_TRACKED_CHANGES_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "core/base/change_map.h"
#include "core/base/status.h"
#include "core/base/units.h"
#include "core/medium/kept_changes.h"

namespace blk {

class Minor;

class TrackedChanges {
 public:
  ~TrackedChanges();
  TrackedChanges(const TrackedChanges&) = delete;
  TrackedChanges& operator=(const TrackedChanges&) = delete;

  // Bytes of the blocks that are marked.
  uint64_t bytes() const { return map_->bytes(); }
  // The first run of changed bytes of the device at `from` or behind it; empty at its end when there is none.
  ByteSpan NextRun(uint64_t from) const { return NextRun(from, map_->span().end.value - map_->span().begin.value); }
  // The same, as far as `to`.
  ByteSpan NextRun(uint64_t from, uint64_t to) const;

  // -> the marks so far, which this has no more. A change that is under way is marked in one of the two at least.
  // Throws std::bad_alloc; nothing has changed then. Errors, of these three: EBADF the medium keeps it no more.
  Result<std::unique_ptr<TrackedChanges>> Take();
  Status Clear();
  // Marks what `from` has, which need not be of the same granularity.
  // REQUIRES: it is of the same range of the same disk.
  Status Merge(const TrackedChanges& from);
  // False when marks were lost: all is marked then.
  bool consistent() const { return kept_ ? kept_->consistent() : consistent_; }
  // Whether both are of the same range of the same disk.
  bool IsLike(const TrackedChanges& other) const;
  // Whether it is of the bytes of `minor`, through whichever of its opens.
  bool IsOf(const Minor& minor) const;

  // Whether its owner has ended it, or the medium keeps it no more: marks may be missing from then on.
  bool over() const { return ended_.load(std::memory_order_acquire) || (kept_ && kept_->over()); }

  // Ends the tracking, but for what the medium keeps; the marks stay. Idempotent.
  void End();

 private:
  friend class DeviceGroup;

  // `end` ends what marks the map, once; empty: nothing does.
  TrackedChanges(std::function<void()> end, std::shared_ptr<Minor> minor, std::shared_ptr<ChangeMap> map);

  // Of what the medium keeps.
  TrackedChanges(std::shared_ptr<Minor> minor, std::shared_ptr<KeptChanges> kept);

  std::function<void()> end_;  // empty once it has ended
  const std::shared_ptr<KeptChanges> kept_;
  std::atomic<bool> ended_{false};
  bool consistent_ = true;  // without it
  const std::shared_ptr<Minor> minor_;
  const std::shared_ptr<ChangeMap> map_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_TRACKED_CHANGES_H_
