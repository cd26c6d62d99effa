#include "core/device/tracked_changes.h"

#include "core/device/minor.h"

namespace blk {
namespace {

Status Over() { return {EBADF, Op::kTrack, Why::kBitmapOver}; }

bool IsSame(const MediumSpan& a, const MediumSpan& b) {
  return a.begin.value == b.begin.value && a.end.value == b.end.value;
}

}  // namespace

TrackedChanges::TrackedChanges(std::function<void()> end, std::shared_ptr<Minor> minor, std::shared_ptr<ChangeMap> map)
    : end_(std::move(end)), minor_(std::move(minor)), map_(std::move(map)) {}

TrackedChanges::TrackedChanges(std::shared_ptr<Minor> minor, std::shared_ptr<KeptChanges> kept)
    : kept_(std::move(kept)), minor_(std::move(minor)), map_(kept_->map()) {}

TrackedChanges::~TrackedChanges() { End(); }

void TrackedChanges::End() {
  ended_.store(true, std::memory_order_release);
  if (const auto end = std::exchange(end_, nullptr)) end();
}

ByteSpan TrackedChanges::NextRun(uint64_t from, uint64_t to) const {
  const uint64_t begin = map_->span().begin.value;
  const MediumSpan run = map_->NextRun({begin + from}, {begin + to});
  return {run.begin.value - begin, run.end.value - begin};
}

Result<std::unique_ptr<TrackedChanges>> TrackedChanges::Take() {
  auto map = std::make_shared<ChangeMap>(map_->span(), map_->shift());
  std::unique_ptr<TrackedChanges> taken(new TrackedChanges({}, minor_, map));
  if (kept_) {
    if (ended_) return Over();
    const Result<bool> consistent = kept_->Take(*map);
    if (!consistent.ok()) return consistent.status();
    taken->consistent_ = consistent.value();
    return taken;
  }
  taken->consistent_ = std::exchange(consistent_, true);
  if (end_) {
    minor_->disk().tracks().Take(*map_, *map);
  } else {
    map_->MoveTo(*map);
  }
  return taken;
}

Status TrackedChanges::Clear() {
  if (kept_) return ended_ ? Over() : kept_->Clear();
  consistent_ = true;
  if (end_) {
    minor_->disk().tracks().Clear(*map_);
  } else {
    map_->Clear();
  }
  return Status::Ok();
}

bool TrackedChanges::IsLike(const TrackedChanges& other) const {
  return &minor_->disk() == &other.minor_->disk() && IsSame(map_->span(), other.map_->span());
}

bool TrackedChanges::IsOf(const Minor& minor) const {
  return &minor_->disk() == &minor.disk() && IsSame(map_->span(), minor.span());
}

Status TrackedChanges::Merge(const TrackedChanges& from) {
  const bool consistent = from.consistent();
  if (kept_) return ended_ ? Over() : kept_->Merge(*from.map_, consistent);
  consistent_ = consistent_ && consistent;
  for (MediumSpan run = from.map_->NextRun(map_->span().begin); !run.empty(); run = from.map_->NextRun(run.end)) {
    map_->Mark(run);
  }
  return Status::Ok();
}

}  // namespace blk
