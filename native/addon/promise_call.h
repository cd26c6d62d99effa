// PromiseCall: a promise for a call that moves no bytes, of a driver or of a device: what `work` gives on a worker, as
// `to_js` has it for JavaScript.
#ifndef RUMPBLK_ADDON_PROMISE_CALL_H_
#define RUMPBLK_ADDON_PROMISE_CALL_H_

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "addon/device_state.h"
#include "addon/env_state.h"
#include "addon/pending_call.h"

namespace blk_addon {

// `Under`: a DriverCall or a DeviceCall. `WorkFn`: T(blk::Lane). `ToJs`: napi_value(napi_env, const T&).
template <typename Under, typename WorkFn, typename ToJs>
class PromiseCall final : public PendingCall {
 public:
  template <typename Owner>
  PromiseCall(napi_env env, const std::shared_ptr<Owner>& owner, WorkFn work, ToJs to_js)
      : PendingCall(env, *EnvState::Of(env).completion),
        under_way_(owner),
        work_(std::move(work)),
        to_js_(std::move(to_js)) {}

  // A close has to free, threads or not; and an open or a flush on this thread is better than one that fails for want
  // of another.
  bool MustRun() const override { return true; }

 private:
  void Work(blk::IoWorker& worker) override {
    // Every one of them may wait for a disk or a lock.
    worker.WillBlock();
    value_.emplace(work_(worker.lane()));
  }
  napi_value Settle(napi_env env) override { return to_js_(env, *value_); }
  void Done() override { under_way_.End(); }

  Under under_way_;
  WorkFn work_;
  const ToJs to_js_;
  std::optional<std::invoke_result_t<WorkFn&, blk::Lane>> value_;
};

// -> a call that is not queued yet.
template <typename Under, typename Owner, typename WorkFn, typename ToJs>
std::unique_ptr<PendingCall> MakePromiseCall(napi_env env, const std::shared_ptr<Owner>& owner, WorkFn work,
                                             ToJs to_js) {
  return std::make_unique<PromiseCall<Under, WorkFn, ToJs>>(env, owner, std::move(work), std::move(to_js));
}

// Queues a call of the driver. -> its promise.
template <typename WorkFn, typename ToJs>
napi_value Promise(napi_env env, const std::shared_ptr<DriverState>& driver, WorkFn work, ToJs to_js) {
  return driver->Submit(MakePromiseCall<DriverCall>(env, driver, std::move(work), std::move(to_js)));
}
// Queues a call of the device, which a close waits for. It cannot be cancelled. -> its promise.   REQUIRES: it is open.
template <typename WorkFn, typename ToJs>
napi_value Promise(napi_env env, const std::shared_ptr<DeviceState>& device, WorkFn work, ToJs to_js) {
  return device->Submit(MakePromiseCall<DeviceCall>(env, device, std::move(work), std::move(to_js)));
}

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_PROMISE_CALL_H_
