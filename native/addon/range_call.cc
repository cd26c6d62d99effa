#include "addon/range_call.h"

#include <utility>

#include "addon/outcome.h"
#include "core/request/physio.h"

namespace blk_addon {

RangeCall::RangeCall(napi_env env, std::shared_ptr<DeviceState> device, const blk::Request& request,
                     blk::Strategy& entry, uint64_t token)
    : PendingCall(env, *EnvState::Of(env).completion),
      under_way_(std::move(device), token, this),
      request_(request),
      entry_(&entry) {
  // Points into this object, which is never moved.
  if (token != 0) request_.cancel = &cancel_;
  HoldBy(request_.plan.decided, request_.cancel);
}

napi_value RangeCall::Submit(napi_env env, const std::shared_ptr<DeviceState>& device, blk::Request request,
                             uint64_t token) {
  blk::Strategy& entry = device->device->Admit(request);
  std::unique_ptr<RangeCall> call(new RangeCall(env, device, request, entry, token));
  return device->Submit(std::move(call));
}

bool RangeCall::Start(blk::IoWorker&) {
  if (!under_way_->device->Starts(*entry_, request_, nullptr, request_.length) || !BeginStart()) return false;
  const auto finished = [](void* self) { static_cast<RangeCall*>(self)->Finished(); };
  started_.Start(*entry_, request_, nullptr, request_.length, finished, this);
  return true;
}

void RangeCall::Work(blk::IoWorker& worker) {
  request_.lane = worker.lane();
  // Of the host's file system, which may have to write; a medium in memory is quick.
  worker.MayBlock();
  blk::RunRequest(*entry_, request_);
}

napi_value RangeCall::Settle(napi_env env) {
  if (called_off()) request_.status = {ECANCELED, blk::Op::kStrategy};
  return ToOutcome(env, request_);
}

void RangeCall::Cancel(napi_env env) {
  // Relaxed: the flag carries nothing but itself, and the worker may see it late.
  cancel_.store(true, std::memory_order_relaxed);
  if (!GiveUp(env, {ECANCELED, blk::Op::kStrategy})) under_way_->device->LetGoCancelled();
}

}  // namespace blk_addon
