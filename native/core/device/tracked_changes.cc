#include "core/device/tracked_changes.h"

#include "core/device/minor.h"

namespace blk {

TrackedChanges::TrackedChanges(std::function<void()> end, std::shared_ptr<Minor> minor, std::shared_ptr<ChangeMap> map)
    : end_(std::move(end)), minor_(std::move(minor)), map_(std::move(map)) {}

TrackedChanges::~TrackedChanges() { End(); }

void TrackedChanges::End() {
  if (const auto end = std::exchange(end_, nullptr)) end();
}

ByteSpan TrackedChanges::NextRun(uint64_t from) const {
  const uint64_t begin = map_->span().begin.value;
  const MediumSpan run = map_->NextRun({begin + from});
  return {run.begin.value - begin, run.end.value - begin};
}

std::unique_ptr<TrackedChanges> TrackedChanges::Take() {
  auto map = std::make_shared<ChangeMap>(map_->span(), map_->shift());
  std::unique_ptr<TrackedChanges> taken(new TrackedChanges({}, minor_, map));
  if (end_) {
    minor_->disk().tracks().Take(*map_, *map);
  } else {
    map_->MoveTo(*map);
  }
  return taken;
}

void TrackedChanges::Clear() {
  if (end_) {
    minor_->disk().tracks().Clear(*map_);
  } else {
    map_->Clear();
  }
}

bool TrackedChanges::IsLike(const TrackedChanges& other) const {
  return &minor_->disk() == &other.minor_->disk() && map_->span().begin.value == other.map_->span().begin.value &&
         map_->span().end.value == other.map_->span().end.value;
}

void TrackedChanges::Merge(const TrackedChanges& from) {
  for (MediumSpan run = from.map_->NextRun(map_->span().begin); !run.empty(); run = from.map_->NextRun(run.end)) {
    map_->Mark(run);
  }
}

}  // namespace blk
