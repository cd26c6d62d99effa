#include "core/medium/overlay_base.h"

#include <algorithm>
#include <cstring>

namespace blk {

Attachment OverlayBase::Wanted(bool write) const {
  Attachment wanted;
  wanted.write = write;
  wanted.lock = true;
  wanted.range = range_;
  return wanted;
}

Status OverlayBase::Open(uint64_t most) {
  const auto all = medium_->size();
  const auto end = CheckedAdd(range_.begin.value, size());
  if (!all || !end || *end > *all) return {EINVAL, Op::kOpen};
  range_.end = {range_.begin.value + std::min(size(), most)};
  auto channel = medium_->Attach(Wanted(false));
  if (!channel.ok()) return channel.status();
  channel_ = channel.Take();
  return Status::Ok();
}

void OverlayBase::Close() {
  // Whatever was written through it was synced by who wrote it, who has that error: no bytes depend on these.
  if (channel_) {
    channel_.reset();
    static_cast<void>(medium_->Detach(Wanted(false)));
  }
  if (medium_) static_cast<void>(medium_->Close());
  medium_.reset();
}

Moved OverlayBase::Read(uint64_t at, void* data, size_t size, const PieceRules& rules) const {
  const auto inside = static_cast<size_t>(Inside(at, size));
  if (inside > 0) {
    const Moved moved = channel_->Read({range_.begin.value + at}, data, inside, rules);
    counts_.Note(moved);
    if (!moved.status.ok()) return moved;
  }
  std::memset(static_cast<uint8_t*>(data) + inside, 0, size - inside);
  return {size, Status::Ok()};
}

Result<size_t> OverlayBase::Extents(MediumSpan within, std::span<MediumExtent> found, const PieceRules& rules) const {
  const uint64_t at = within.begin.value, size = within.end.value - at;
  const uint64_t inside = Inside(at, size);
  if (inside == 0) {
    found[0] = {within.begin, size, ExtentType::kHole, 1, kNoHostOffset};
    return size_t{1};
  }
  const uint64_t begin = range_.begin.value;
  auto listed = channel_->Extents({{begin + at}, {begin + at + inside}}, ExtentLayer::kAll, found, rules);
  if (!listed.ok()) return listed;
  for (MediumExtent& extent : found.first(listed.value())) {
    extent.at.value -= begin;
    extent.depth++;
  }
  return listed;
}

MediumSpan OverlayBase::NextData(MediumSpan within) const {
  const uint64_t begin = range_.begin.value, at = within.begin.value;
  const uint64_t inside = Inside(at, within.end.value - at);
  if (inside == 0) return {within.end, within.end};
  const MediumSpan data = channel_->NextData({{begin + at}, {begin + at + inside}});
  if (data.empty()) return {within.end, within.end};
  return {{data.begin.value - begin}, {data.end.value - begin}};
}

void OverlayBase::Prefetch(uint64_t at, uint64_t size) const noexcept {
  const uint64_t inside = Inside(at, size);
  if (inside > 0) channel_->Prefetch({range_.begin.value + at}, inside);
}

Result<OverlayBase::Writer> OverlayBase::Writer::Open(OverlayBase& base) {
  auto channel = base.medium_->Attach(base.Wanted(true));
  if (!channel.ok()) return channel.status();
  return Writer(base, channel.Take());
}

// Marked before and behind it, as ChangeTracks has it of all changes.
template <typename Change>
Moved OverlayBase::Writer::Tracked(MediumOffset at, uint64_t size, const Change& change) const {
  ChangeTracks& tracks = base_->medium_->tracks();
  const MediumSpan changed{at, {at.value + size}};
  tracks.Mark(changed);
  const Moved moved = change();
  tracks.Mark(changed);
  return moved;
}

Moved OverlayBase::Writer::Write(uint64_t at, const void* data, size_t size, const PieceRules& rules) const {
  const MediumOffset to{base_->range_.begin.value + at};
  return Tracked(to, size, [&] { return channel_->Write(to, data, size, rules); });
}

Moved OverlayBase::Writer::Zero(uint64_t at, uint64_t size, const PieceRules& rules) const {
  const MediumOffset to{base_->range_.begin.value + at};
  return Tracked(to, size, [&] { return channel_->Zero(to, size, rules); });
}

OverlayBase::Writer::~Writer() { static_cast<void>(Close()); }

Status OverlayBase::Writer::Close() {
  if (!channel_) return Status::Ok();
  channel_.reset();
  return base_->medium_->Detach(base_->Wanted(true));
}

}  // namespace blk
