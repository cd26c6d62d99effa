#include "addon/extents_call.h"

#include <utility>

#include "addon/outcome.h"

namespace blk_addon {
namespace {

napi_value ToNumbers(napi_env env, const std::vector<blk::DeviceExtent>& found, const blk::Result<size_t>& count) {
  if (!count.ok()) return ToFailure(env, count.status());
  Napi::Float64Array numbers = Napi::Float64Array::New(env, count.value() * 6);
  if (numbers.IsEmpty()) return nullptr;  // the thread is being terminated
  double* to = numbers.Data();
  for (size_t i = 0; i < count.value(); i++) {
    const blk::DeviceExtent& extent = found[i];
    *to++ = static_cast<double>(extent.at.value);
    *to++ = static_cast<double>(extent.size);
    *to++ = static_cast<double>(extent.type);
    *to++ = static_cast<double>(extent.depth);
    *to++ = extent.host_offset == blk::kNoHostOffset ? -1 : static_cast<double>(extent.host_offset);
    *to++ = extent.present ? 1 : 0;
  }
  return numbers;
}

}  // namespace

napi_value ListExtents(napi_env env, blk::Device& device, const ExtentsWanted& wanted, blk::Lane lane) {
  std::vector<blk::DeviceExtent> found(kMostExtents);
  return ToNumbers(env, found, device.Extents(wanted.position, wanted.length, wanted.layer, found, nullptr, lane));
}

ExtentsCall::ExtentsCall(napi_env env, std::shared_ptr<DeviceState> device, const ExtentsWanted& wanted, uint64_t token)
    : PendingCall(env, *EnvState::Of(env).completion), under_way_(std::move(device), token, this), wanted_(wanted) {}

napi_value ExtentsCall::Submit(napi_env env, const std::shared_ptr<DeviceState>& device, const ExtentsWanted& wanted,
                               uint64_t token) {
  std::unique_ptr<ExtentsCall> call(new ExtentsCall(env, device, wanted, token));
  return device->Submit(std::move(call));
}

void ExtentsCall::Work(blk::IoWorker& worker) {
  // A host may have to read what tells of its extents, or to write first.
  worker.MayBlock();
  found_.resize(kMostExtents);
  count_.emplace(
      under_way_->device->Extents(wanted_.position, wanted_.length, wanted_.layer, found_, &cancel_, worker.lane()));
}

napi_value ExtentsCall::Settle(napi_env env) { return ToNumbers(env, found_, *count_); }

void ExtentsCall::Cancel(napi_env env) {
  // Relaxed: the flag carries nothing but itself, and the worker may see it late.
  cancel_.store(true, std::memory_order_relaxed);
  static_cast<void>(GiveUp(env, {ECANCELED, blk::Op::kExtents}));
}

}  // namespace blk_addon
