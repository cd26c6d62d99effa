#include "addon/transfer_call.h"

#include <utility>

#include "addon/args.h"
#include "addon/long_transfer.h"
#include "addon/outcome.h"
#include "addon/shared_read.h"
#include "core/host/copy.h"

namespace blk_addon {

TransferCall::TransferCall(napi_env env, std::shared_ptr<DeviceState> device, const blk::Request& request,
                           blk::Strategy& entry, Now now, napi_value view, size_t view_offset, uint64_t token)
    : PendingCall(env, *EnvState::Of(env).completion),
      env_(env),
      under_way_(std::move(device), token, this),
      request_(request),
      begin_(request.moved),
      entry_(&entry),
      now_(now),
      view_(env, view, view_offset) {
  // Points into this object, which is never moved.
  if (token != 0) request_.cancel = &cancel_;
  HoldBy(request_.plan.decided, request_.cancel);
}

TransferCall::~TransferCall() { DropMemory(); }

napi_value TransferCall::Submit(napi_env env, const std::shared_ptr<DeviceState>& device, blk::Request&& request,
                                napi_value view, size_t view_offset, uint64_t token) {
  DeviceState& state = *device;
  blk::Strategy& entry = state.device->Admit(request);
  // Admitted once: the queued call goes on with what was drawn here, and through the strategies that it was admitted
  // to.
  // What a lease lends is not answered on the spot: the host must not touch it inside a call.
  const bool may_run = !state.lent.Meets(request.data, request.length);
  const auto may_go_on = [&](size_t bytes) { return may_run && state.driver->MayAnswerNow(bytes); };
  // What a filter has decided on is not answered on the spot: it may be held.
  const Now now = request.plan.decided
                      ? Now::kUnknown
                      : RunNowShared(state.driver->driver.shared_work(), entry, request, request.data, may_go_on);
  if (now == Now::kDone) {
    blk::CompleteRequest(request);
    return ToOutcome(env, request);
  }
  const bool is_long = request.moves() && request.length - request.moved > PartOf(request.operation);
  if (is_long) return LongTransfer::Submit(env, device, request, entry, now, view, view_offset, token);
  std::unique_ptr<TransferCall> call(new TransferCall(env, device, request, entry, now, view, view_offset, token));
  // The view is where the answer goes. A write looks at it once more if it has to wait.
  if (request.operation == blk::Operation::kRead) call->view_.Keep();
  return state.Submit(std::move(call));
}

bool TransferCall::Prepare(blk::AlignedBuffer memory) {
  if (taken_back()) return false;
  memory_ = std::move(memory);
  if (!request_.moves()) return true;
  blk::Status status = blk::Status::Ok();
  if (memory_.data() == nullptr) status = {ENOMEM, blk::Op::kStrategy};
  if (status.ok() && request_.operation == blk::Operation::kWrite && !Fetch()) status = {EFAULT, blk::Op::kPwrite};
  if (status.ok()) return true;
  EndUnrun(env_, status);
  return false;
}

bool TransferCall::Fetch() {
  if (view_.kept()) return view_.CopyTo(memory_.data(), begin_, size());
  blk::CopyBytes(memory_.data(), request_.data + begin_, size());
  return true;
}

void TransferCall::DropMemory() {
  under_way_->driver->driver.request_memory().Give(std::move(memory_), size());
  view_.Drop();
}

bool TransferCall::Start(blk::IoWorker&) {
  if (now_ == Now::kDone || !under_way_->device->MayStart(request_) || !BeginStart()) return false;
  const size_t done = request_.moved - begin_;
  const auto finished = [](void* self) { static_cast<TransferCall*>(self)->Finished(); };
  started_.Start(*entry_, request_, memory_.data() + done, size() - done, finished, this);
  return true;
}

void TransferCall::Work(blk::IoWorker& worker) {
  request_.lane = worker.lane();
  // Pages that are in memory need no other worker to be woken for what is queued behind.
  if (now_ == Now::kNotTried) now_ = RunNow(*entry_, request_, memory_.data(), [](size_t) { return true; });
  if (now_ == Now::kDone) return;
  if (now_ == Now::kWouldWait) worker.WillBlock();
  if (now_ == Now::kUnknown) worker.MayBlock();
  const size_t done = request_.moved - begin_;
  blk::RunPart(*entry_, request_, memory_.data() + done, size() - done);
}

napi_value TransferCall::Settle(napi_env env) {
  if (called_off()) request_.status = {ECANCELED, blk::Op::kStrategy};
  const size_t moved = request_.moved - begin_;
  // Also of a read that failed half-way: what moved before is the caller's, as bytesTransferred says.
  if (moved > 0 && request_.operation == blk::Operation::kRead && !view_.CopyFrom(memory_.data(), begin_, moved)) {
    return ToFailure(env, {EFAULT, blk::Op::kPread}, {.blkno = request_.failed_blkno});
  }
  return ToOutcome(env, request_);
}

void TransferCall::Cancel(napi_env env) {
  // Relaxed: the flag carries nothing but itself, and the worker may see it late.
  cancel_.store(true, std::memory_order_relaxed);
  // Not begun: the promise settles now, and no worker will touch the memory.
  if (GiveUp(env, {ECANCELED, blk::Op::kStrategy})) return DropMemory();
  under_way_->device->LetGoCancelled();
}

}  // namespace blk_addon
