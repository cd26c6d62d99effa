// ControlCall: a promise for a call that moves no bytes: register, open, flush, close. Holds its driver until it is
// settled.
#ifndef RUMPBLK_ADDON_CONTROL_CALL_H_
#define RUMPBLK_ADDON_CONTROL_CALL_H_

#include <functional>
#include <memory>
#include <utility>

#include "addon/env_state.h"
#include "addon/pending_call.h"

namespace blk_addon {

// Runs `work`, then `settle`, then both go. What they share, a shared_ptr that each captures, is written by the one
// before the other reads it: the completion lies in between.
class ControlCall final : public PendingCall {
 public:
  struct Steps {
    std::function<void(blk::Lane)> work;         // on a worker
    std::function<napi_value(napi_env)> settle;  // on the JavaScript thread: what the promise resolves with
    std::function<void()> done = [] {};          // on the JavaScript thread, in every case
  };

  // A call that is not queued yet, for a close that waits; the driver counts it as pending from here on, so that it
  // cannot be closed meanwhile.
  static std::unique_ptr<PendingCall> Make(napi_env env, std::shared_ptr<DriverState> driver, Steps steps) {
    DriverState& counted = *driver;
    std::unique_ptr<PendingCall> call(new ControlCall(env, std::move(driver), std::move(steps)));
    counted.pending++;
    return call;
  }
  // Queues the steps. -> the promise.
  static napi_value Submit(napi_env env, const std::shared_ptr<DriverState>& driver, Steps steps) {
    return driver->Submit(Make(env, driver, std::move(steps)));
  }

  // A close has to free, threads or not; and an open or a flush on this thread is better than one that fails for want
  // of another.
  bool MustRun() const override { return true; }

 private:
  ControlCall(napi_env env, std::shared_ptr<DriverState> driver, Steps steps)
      : PendingCall(env, *EnvState::Of(env).completion), driver_(std::move(driver)), steps_(std::move(steps)) {}

  void Work(blk::IoWorker& worker) override {
    // Every one of them may wait for a disk or a lock.
    worker.WillBlock();
    steps_.work(worker.lane());
  }
  napi_value Settle(napi_env env) override { return steps_.settle(env); }
  void Done() override {
    driver_->pending--;
    steps_.done();
  }

  const std::shared_ptr<DriverState> driver_;
  const Steps steps_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_CONTROL_CALL_H_
