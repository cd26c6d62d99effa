#include "core/device/lease.h"

namespace blk {

Status Lease::Release() {
  if (data_ == nullptr) return Status::Ok();
  data_ = nullptr;
  if (!window_) {
    const bool poisoned = mapping_.poisoned();
    const Status unmapped = mapping_.Unmap();
    return poisoned ? Status{EIO, Op::kMap} : unmapped;
  }
  const bool poisoned = window_->poisoned();
  window_.reset();
  unpin_();
  flush_->EndStores();
  // What was stored into a substituted page can not be synced by anybody: later flushes must not say otherwise.
  return poisoned ? flush_->Fail({EIO, Op::kMap}) : Status::Ok();
}

}  // namespace blk
