#include "addon/copy_call.h"

#include <utility>

#include "addon/outcome.h"
#include "core/request/physio.h"

namespace blk_addon {

CopyCall::CopyCall(napi_env env, std::shared_ptr<DeviceState> target, std::shared_ptr<DeviceState> source,
                   const blk::CopySource& from, const CopyWanted& wanted, uint64_t token)
    : PendingCall(env, *EnvState::Of(env).completion),
      under_way_(std::move(target), token, this),
      lent_(std::move(source)),
      source_(from),
      // Points into this object, which is never moved.
      request_(under_way_->device->CopyRequest(wanted.at, wanted.length, source_)),
      entry_(&under_way_->device->Admit(request_)) {
  source_.clone_only = wanted.clone_only;
  source_.target_is_zero = wanted.target_is_zero;
  if (token != 0) request_.cancel = &cancel_;
}

napi_value CopyCall::Submit(napi_env env, const std::shared_ptr<DeviceState>& target,
                            const std::shared_ptr<DeviceState>& source, const CopyWanted& wanted, uint64_t token) {
  const auto from = source->device->AsSource(wanted.from, wanted.length);
  if (!from.ok()) return ToFailure(env, from.status());
  std::unique_ptr<CopyCall> call(new CopyCall(env, target, source, from.value(), wanted, token));
  return target->Submit(std::move(call));
}

void CopyCall::Work(blk::IoWorker& worker) {
  request_.lane = worker.lane();
  worker.MayBlock();
  blk::RunRequest(*entry_, request_);
}

// {bytes, holes, cloned, outcome}
napi_value CopyCall::Settle(napi_env raw) {
  const Napi::Env env(raw);
  Napi::Object copied = Napi::Object::New(env);  // an array is a failure
  copied.Set("bytes", static_cast<double>(request_.moved));
  copied.Set("holes", static_cast<double>(source_.holes));
  copied.Set("cloned", static_cast<double>(source_.cloned));
  copied.Set("outcome", ToOutcome(raw, request_));
  return copied;
}

void CopyCall::Cancel(napi_env env) {
  // Relaxed: the flag carries nothing but itself, and the worker may see it late.
  cancel_.store(true, std::memory_order_relaxed);
  static_cast<void>(GiveUp(env, {ECANCELED, blk::Op::kCopy}));
}

}  // namespace blk_addon
