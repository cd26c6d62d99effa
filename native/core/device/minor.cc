#include "core/device/minor.h"

#include <utility>

namespace blk {

Result<std::shared_ptr<Minor>> Minor::Create(std::unique_ptr<Medium> medium, const MediumRange& range) {
  auto disk = Disk::Create(std::move(medium), range);
  if (!disk.ok()) return disk.status();
  return std::shared_ptr<Minor>(new Minor(disk.Take()));
}

Minor::~Minor() {
  if (partition_ && !partition_->uses.retired()) LeaveDisk();
}

bool Minor::SameAs(const Minor& other) const {
  if (!partition_ && !other.partition_) return disk_->SameAs(*other.disk_);
  // The name as well: two entries of a table may say the same range.
  return partition_ && other.partition_ && disk_ == other.disk_ &&
         partition_->spot.name == other.partition_->spot.name && begin().value == other.begin().value &&
         size() == other.size();
}

void Minor::SetIndex(int index) {
  index_ = index;
  if (!partition_) disk_->SetIndex(index);
}

Attachment Minor::AttachmentOf(const OpenOptions& options) const {
  Attachment wanted;
  wanted.write = options.mode == OpenMode::kReadWrite;
  wanted.direct = options.direct;
  wanted.lock = options.lock;
  wanted.range = span();
  if (options.lock_growth) wanted.range.end = {kMaxSafeInteger};
  return wanted;
}

Result<std::unique_ptr<Channel>> Minor::Acquire(const OpenOptions& options) {
  // Counted before anything is opened, so that a deregister meanwhile answers EBUSY and not a closed file.
  if (!uses().Enter(UseCount::Use::kOpen)) return Status{ENXIO, Op::kOpen};
  auto channel = disk_->Attach(AttachmentOf(options));
  if (!channel.ok()) uses().Leave(UseCount::Use::kOpen);
  return channel;
}

Status Minor::Release(const OpenOptions& options) {
  // Before it is counted out: as long as it counts, Retire() answers EBUSY and the medium stays open.
  const Status status = disk_->Detach(AttachmentOf(options));
  uses().Leave(UseCount::Use::kOpen);
  if (index_ != kPrivateMinor) return status;
  Status retired = Retire();
  // The disk of a private partition is in no table either: its one user is gone.
  if (retired.ok() && partition_) retired = disk_->Retire();
  return status.ok() ? retired : status;
}

int Minor::LockHolder(OpenMode mode) {
  // Like an open, so that the medium stays: it may be deregistered at any moment.
  if (!uses().Enter(UseCount::Use::kOpen)) return 0;
  OpenOptions options;
  options.mode = mode;
  const int holder = disk_->medium().Holder(AttachmentOf(options));
  uses().Leave(UseCount::Use::kOpen);
  return holder;
}

Status Minor::Retire() {
  if (!partition_) return disk_->Retire();
  const int err = partition_->uses.Retire();
  if (err != 0) return {err, Op::kDeregister};
  LeaveDisk();
  return Status::Ok();
}

void Minor::LeaveDisk() {
  disk_->label_state().Leave(this);
  disk_->uses().Leave(UseCount::Use::kHold);
}

}  // namespace blk
