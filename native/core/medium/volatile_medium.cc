#include "core/medium/volatile_medium.h"

#include "core/host/lock_holder.h"

namespace blk {

bool RangeHolds::InTheWay(const void* owner, MediumSpan range, bool writes) const {
  return std::any_of(holds_.begin(), holds_.end(), [&](const Hold& hold) {
    return hold.owner != owner && (hold.writes || writes) && !hold.range.CutTo(range).empty();
  });
}

bool RangeHolds::Taken(const void* owner, MediumSpan range, bool writes) {
  MutexLock lock(mu_);
  return InTheWay(owner, range, writes);
}

Status RangeHolds::Add(const void* owner, MediumSpan range, bool writes) {
  MutexLock lock(mu_);
  if (InTheWay(owner, range, writes)) return {EBUSY, Op::kLock};
  if (!HadMemory([&]() REQUIRES(mu_) { holds_.push_back({owner, range, writes}); })) return {ENOMEM, Op::kLock};
  return Status::Ok();
}

void RangeHolds::Remove(const void* owner, MediumSpan range, bool writes) {
  MutexLock lock(mu_);
  const auto found = std::find_if(holds_.begin(), holds_.end(), [&](const Hold& hold) {
    return hold.owner == owner && hold.writes == writes && hold.range.begin.value == range.begin.value &&
           hold.range.end.value == range.end.value;
  });
  holds_.erase(found);
}

Status VolatileMedium::Read(MediumOffset at, void* data, size_t size) {
  std::unique_ptr<Channel> channel;
  if (!HadMemory([&] { channel = MakeChannel(); })) return {ENOMEM, Op::kPread};
  return channel->Read(at, data, size, {}).status;
}

Result<std::unique_ptr<Channel>> VolatileMedium::Attach(const Attachment& wanted) {
  std::unique_ptr<Channel> channel;
  if (!HadMemory([&] { channel = MakeChannel(); })) return Status{ENOMEM, Op::kOpen};
  const Status held = wanted.lock ? store_->holds.Add(this, wanted.range, wanted.write) : Status::Ok();
  if (!held.ok()) return held;
  return channel;
}

Status VolatileMedium::Detach(const Attachment& wanted) {
  if (wanted.lock) store_->holds.Remove(this, wanted.range, wanted.write);
  return Status::Ok();
}

int VolatileMedium::Holder(const Attachment& wanted) {
  return wanted.lock && store_->holds.Taken(this, wanted.range, wanted.write) ? OwnProcess() : 0;
}

}  // namespace blk
