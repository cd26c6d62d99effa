#include "addon/batch_call.h"

#include <cstring>
#include <utility>

#include "addon/batch_memory.h"
#include "addon/outcome.h"

namespace blk_addon {

// A strong reference: batch_ is a plain reference into the object that it keeps.
BatchCall::BatchCall(napi_env env, napi_value self, BatchState& batch, uint64_t token)
    : PendingCall(env, *EnvState::Of(env).completion), env_(env), batch_(batch), under_way_(batch.device, token, this) {
  napi_create_reference(env, self, 1, &self_);
}

BatchCall::~BatchCall() {
  DropMemory();
  napi_delete_reference(env_, self_);
}

void BatchCall::DropMemory() {
  under_way_->driver->driver.request_memory().Give(std::move(arena_), arena_size_);
  control_ = {};
}

napi_value BatchCall::Submit(napi_env env, napi_value self, BatchState& batch, blk::BatchRun&& begun, uint64_t token) {
  std::unique_ptr<BatchCall> call(new BatchCall(env, self, batch, token));
  DeviceState& device = *batch.device;
  batch.running = true;
  if (!call->TakeControl(std::move(begun))) {
    // Taken before Refuse(), after which the call goes with this scope.
    napi_value promise = call->promise();
    call->Refuse(env, {ENOMEM, blk::Op::kStrategy});
    return promise;
  }
  return device.Submit(std::move(call));
}

bool BatchCall::TakeControl(blk::BatchRun&& begun) {
  const ViewBytes control = batch_.Control();
  control_ = blk::AlignedBuffer(control.size);
  if (control_.data() == nullptr) return false;
  std::memcpy(control_.data(), control.data, control.size);
  begun.EachDecision(
      [&](uint32_t, const auto& decided) { HoldBy(decided, under_way_.has_token() ? &cancel_ : nullptr); });
  arena_size_ = batch_.Arena().size;
  run_.emplace(ArraysIn(control_.data(), batch_.depth), nullptr, std::move(begun));
  return true;
}

bool BatchCall::Prepare(blk::AlignedBuffer memory) {
  if (taken_back()) return false;
  arena_ = std::move(memory);
  blk::Status status = blk::Status::Ok();
  if (arena_.data() == nullptr && arena_size_ > 0) {
    status = {ENOMEM, blk::Op::kStrategy};
  } else if (!Fetch()) {
    status = {EFAULT, blk::Op::kStrategy};
  }
  if (status.ok()) return true;
  EndUnrun(env_, status);
  return false;
}

bool BatchCall::Fetch() {
  napi_handle_scope scope;
  napi_open_handle_scope(env_, &scope);
  const bool here = batch_.HasMemory();
  if (here) {
    const ViewBytes arena = batch_.Arena();
    const blk::BatchArrays arrays = ArraysIn(control_.data(), batch_.depth);
    CopyAsked(arena_.data(), arena.data, arena_size_, arrays, run_->count(), blk::BatchOp::kWrite);
    // What was answered on the spot is in the caller's arena already, and is copied back over itself.
    CopyAsked(arena_.data(), arena.data, arena_size_, arrays, run_->begun(), blk::BatchOp::kRead);
    blk::BatchRun begun(std::move(*run_));
    run_.emplace(arrays, arena_.data(), std::move(begun));
  }
  napi_close_handle_scope(env_, scope);
  return here;
}

bool BatchCall::Start(blk::IoWorker&) {
  if (!run_->IsAllStarted()) return false;
  started_.emplace(*under_way_->device, *run_, under_way_.has_token() ? &cancel_ : nullptr);
  if (!BeginStart()) return false;
  started_->Start([](void* self) { static_cast<BatchCall*>(self)->Finished(); }, this);
  return true;
}

void BatchCall::Work(blk::IoWorker& worker) {
  const blk::Lane lane = worker.lane();
  worker.MayBlock();
  run_->Run(false, lane, under_way_.has_token() ? &cancel_ : nullptr,
            [&](const blk::BatchSync& what) { return under_way_->device->SyncBatch(run_->entry(), lane, what); });
}

napi_value BatchCall::Settle(napi_env env) {
  // What was written is written all the same: EFAULT is about the answer, which has no place to go.
  if (!GiveBack()) return ToFailure(env, {EFAULT, blk::Op::kStrategy});
  // Relaxed: it was set on this very thread.
  if (cancel_.load(std::memory_order_relaxed)) return ToFailure(env, {ECANCELED, blk::Op::kStrategy});
  return ToNumber(env, run_->succeeded());
}

bool BatchCall::GiveBack() {
  if (!batch_.HasMemory()) return false;
  const ViewBytes control = batch_.Control();
  const ViewBytes arena = batch_.Arena();
  const blk::BatchArrays ours = ArraysIn(control_.data(), batch_.depth);
  const blk::BatchArrays theirs = ArraysIn(control.data, batch_.depth);
  const uint32_t count = run_->count();
  // Only the two columns of the outcome: what the caller has put into the others meanwhile is its own.
  std::memcpy(theirs.resid, ours.resid, count * sizeof *ours.resid);
  std::memcpy(theirs.error, ours.error, count * sizeof *ours.error);
  // Cancelled before its turn: nothing was read but what is in the caller's arena already.
  if (arena_.data() != nullptr) CopyRead(arena.data, arena_.data(), arena.size, ours, count);
  return true;
}

void BatchCall::Done() {
  batch_.running = false;
  under_way_.End();
}

void BatchCall::Cancel(napi_env env) {
  // Relaxed: the flag carries nothing but itself. The worker sees it in time, or runs to its end.
  cancel_.store(true, std::memory_order_relaxed);
  if (!GiveUp(env, {ECANCELED, blk::Op::kStrategy})) return under_way_->device->LetGoCancelled();
  // It never runs: its entries say so, and the batch can run again before the queue comes to this call.
  run_->EndCancelled();
  static_cast<void>(GiveBack());
  run_.reset();
  DropMemory();
}

}  // namespace blk_addon
