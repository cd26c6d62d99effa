// Qcow2Bitmap: one bitmap of a qcow2 image that is written, while it is. Thread-safe. Lock order: mu_, then that of the
// ChangeTracks.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_H_

#include <memory>
#include <utility>

#include "core/base/change_tracks.h"
#include "core/base/sync.h"
#include "core/medium/kept_changes.h"

namespace blk {

class Qcow2Bitmap final : public KeptChanges {
 public:
  // Marked from here on by `tracks`. Not `consistent`: all of `map` is marked.
  Qcow2Bitmap(std::shared_ptr<ChangeTracks> tracks, std::shared_ptr<ChangeMap> marks, bool consistent)
      : KeptChanges(std::move(marks)), tracks_(std::move(tracks)), consistent_(consistent) {
    if (!consistent) map()->Mark(map()->span());
    tracks_->Add(map());
  }

  bool consistent() const override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return consistent_;
  }
  bool over() const override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return over_;
  }
  Result<bool> Take(ChangeMap& to) override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (over_) return Over();
    tracks_->Take(*map(), to);
    return std::exchange(consistent_, true);
  }
  Status Clear() override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (over_) return Over();
    tracks_->Clear(*map());
    consistent_ = true;
    return Status::Ok();
  }
  Status Merge(const ChangeMap& from, bool consistent) override EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (over_) return Over();
    for (MediumSpan run = from.NextRun({0}); !run.empty(); run = from.NextRun(run.end)) map()->Mark(run);
    if (consistent) return Status::Ok();
    consistent_ = false;
    map()->Mark(map()->span());
    return Status::Ok();
  }

  // From here on nothing changes it. -> whether it is consistent. Idempotent.
  bool Stop() EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (!over_) tracks_->Remove(*map());
    over_ = true;
    return consistent_;
  }

 private:
  static Status Over() { return {EBADF, Op::kTrack, Why::kBitmapOver}; }

  const std::shared_ptr<ChangeTracks> tracks_;
  mutable Mutex mu_;
  bool consistent_ GUARDED_BY(mu_);
  bool over_ GUARDED_BY(mu_) = false;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_H_
