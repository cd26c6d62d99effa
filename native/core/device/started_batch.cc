#include "core/device/started_batch.h"

namespace blk {

void StartedBatch::Start(void (*done)(void* owner), void* owner) {
  done_ = done;
  owner_ = owner;
  GoOn();
}

void StartedBatch::GoOn() {
  while (syncing_ || run_.next_ < run_.count_) {
    turn_.Begin();
    if (syncing_) {
      sync_.Start(*flush_.entry, flush_.request, nullptr, flush_.request.length, OnEnded, this);
    } else {
      group_.Start(OnEnded, this);
    }
    if (!turn_.Returned()) return;
    TakeIn();
  }
  done_(owner_);
}

void StartedBatch::OnEnded(void* self) {
  StartedBatch& batch = *static_cast<StartedBatch*>(self);
  if (!batch.turn_.Ended()) return;
  batch.TakeIn();
  batch.GoOn();
}

void StartedBatch::TakeIn() {
  Status synced;
  if (syncing_) {
    synced = device_.EndFlush(flush_);
    CompleteRequest(flush_.request);
  } else {
    if (!run_.traces_.empty()) run_.CompleteGroup(BatchRun::Of::kNotDurable);
    flush_ = {};
    if (run_.wants_sync_)
      flush_ = device_.FlushOfBatch(run_.entry(), {run_.FlushPlan(), run_.target_.stack, !run_.EndsWithFlush()});
    // None where nothing is ever durable.
    syncing_ = flush_.entry != nullptr;
    if (syncing_) return;
  }
  syncing_ = false;
  run_.EndGroup(synced);
}

}  // namespace blk
