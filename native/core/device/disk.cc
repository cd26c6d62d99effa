#include "core/device/disk.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/label/read_table.h"

namespace blk {
namespace {

Result<std::optional<PlacedLabel>> Placed(const Disk& disk) {
  DiskSource source = disk.Source();
  return FindLabel(source);
}

}  // namespace

Disk::Disk(std::unique_ptr<Medium> medium, MediumOffset begin, uint64_t size, uint64_t sector_size)
    : medium_(std::move(medium)),
      begin_(begin),
      size_(size),
      sector_size_(sector_size),
      default_label_(DefaultLabel(size, 0)) {}

Result<std::shared_ptr<Disk>> Disk::Create(std::unique_ptr<Medium> medium, const MediumRange& range) {
  std::optional<uint64_t> medium_size = medium->size();
  if (!medium_size) {
    // Then the caller's word counts.
    if (!range.size) return Status{EINVAL, Op::kRegister, Why::kNoSize};
    medium_size = CheckedAdd(range.offset, *range.size);
    if (!medium_size || *medium_size > kMaxSafeInteger) return Status{EOVERFLOW, Op::kRegister};
  }
  if (range.offset > *medium_size) return Status{EINVAL, Op::kRegister, Why::kRangeBegins};
  // By subtraction, which cannot wrap (B22).
  const uint64_t rest = *medium_size - range.offset;
  if (range.size && *range.size > rest) return Status{EINVAL, Op::kRegister, Why::kRangeEnds};
  const uint64_t size = range.size.value_or(rest);
  if (range.offset + size > kMaxSafeInteger) return Status{EOVERFLOW, Op::kRegister};
  return std::shared_ptr<Disk>(new Disk(std::move(medium), {range.offset}, size, range.sector_size));
}

bool Disk::SameAs(const Disk& other) const {
  return medium_->identity() == other.medium_->identity() && begin_.value == other.begin_.value &&
         size_ == other.size_ && sector_size_ == other.sector_size_;
}

void Disk::SetIndex(int index) {
  index_ = index;
  default_label_ = DefaultLabel(size_, static_cast<uint32_t>(index) % kMaxPartitions);
}

Result<std::unique_ptr<Channel>> Disk::Attach(const Attachment& wanted) {
  MutexLock lock(mu_);
  auto channel = medium_->Attach(wanted);
  if (channel.ok()) attached_++;
  return channel;
}

Status Disk::Detach(const Attachment& wanted) {
  MutexLock lock(mu_);
  const Status status = medium_->Detach(wanted);
  if (--attached_ == 0) {
    // The last one: nothing is open that could answer for old errors, and the next open begins afresh.
    flush_.Reset();
    label_state_.Closed();
  }
  return status;
}

Status Disk::CheckReaches(MediumSpan span) {
  if (!medium_->size()) return Status::Ok();
  const auto now = medium_->SizeNow();
  if (!now.ok()) return now.status();
  if (now.value() >= span.end.value) return Status::Ok();
  flush_.NoteLoss({{std::max(now.value(), span.begin.value)}, span.end});
  return {EIO, Op::kFlush};
}

Result<DiskLabel> Disk::Label() const {
  if (auto label = label_state_.in_memory()) return *label;
  const auto placed = Placed(*this);
  if (!placed.ok()) return placed.status();
  return placed.value() ? placed.value()->found.decoded.label : default_label_;
}

Status Disk::PlaceLabel() {
  const auto placed = Placed(*this);
  if (!placed.ok()) return placed.status();
  std::optional<MediumOffset> at;
  if (placed.value()) at = MediumOffset{begin_.value + placed.value()->found.position};
  label_state_.sector().Place(at);
  return Status::Ok();
}

Status Disk::Retire() {
  const int err = uses_.Retire();
  if (err != 0) return {err, Op::kDeregister};
  // Now, not when the last reference goes: objects of closed devices may hold one for long.
  return medium_->Close();
}

}  // namespace blk
