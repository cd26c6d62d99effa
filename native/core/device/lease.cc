#include "core/device/lease.h"

namespace blk {

Status Lease::Release() {
  if (data_ == nullptr) return Status::Ok();
  data_ = nullptr;
  const bool poisoned = window_ ? window_->poisoned() : mapping_.poisoned();
  window_.reset();
  const Status unmapped = mapping_.Unmap();
  if (flush_ == nullptr) return poisoned ? Status{EIO, Op::kMap} : unmapped;
  unpin_();
  flush_->EndStores();
  // What was stored into a substituted page can not be synced by anybody: later flushes must not say otherwise.
  return poisoned ? flush_->Fail({EIO, Op::kMap}) : unmapped;
}

}  // namespace blk
