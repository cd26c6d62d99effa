#include "addon/flush_call.h"

#include <utility>

#include "addon/outcome.h"
#include "core/request/physio.h"

namespace blk_addon {

napi_value ToAnswer(napi_env env, const Flushed& flushed) { return ToOutcome(env, flushed.status, flushed.lost); }

FlushCall::FlushCall(napi_env env, const std::shared_ptr<DeviceState>& device)
    : PendingCall(env, *EnvState::Of(env).completion), under_way_(device), flush_(device->device->AdmitFlush()) {
  HeldBy(flush_.request.plan.decided);
}

napi_value FlushCall::Submit(napi_env env, const std::shared_ptr<DeviceState>& device) {
  return device->Submit(std::unique_ptr<PendingCall>(new FlushCall(env, device)));
}

bool FlushCall::Start(blk::IoWorker&) {
  blk::Request& request = flush_.request;
  if (flush_.entry == nullptr) return false;
  if (!under_way_->device->Starts(*flush_.entry, request, nullptr, request.length) || !BeginStart()) return false;
  const auto finished = [](void* self) {
    FlushCall& call = *static_cast<FlushCall*>(self);
    call.flushed_.status = call.under_way_->device->EndFlush(call.flush_, &call.flushed_.lost);
    call.Finished();
  };
  started_.Start(*flush_.entry, request, nullptr, request.length, finished, this);
  return true;
}

void FlushCall::Work(blk::IoWorker& worker) {
  // It may wait for a disk.
  worker.WillBlock();
  flushed_.status = under_way_->device->RunFlush(flush_, worker.lane(), &flushed_.lost);
}

void FlushCall::Done() {
  blk::CompleteRequest(flush_.request);
  under_way_.End();
}

}  // namespace blk_addon
