// FlushCall: a flush on its way through the I/O queue, as one task. It cannot be cancelled: a sync cannot be cut short.
// JavaScript thread only, but for Start() and Work().
#ifndef RUMPBLK_ADDON_FLUSH_CALL_H_
#define RUMPBLK_ADDON_FLUSH_CALL_H_

#include <memory>

#include "addon/device_state.h"
#include "addon/pending_call.h"
#include "core/base/units.h"
#include "core/request/started_request.h"

namespace blk_addon {

// What a flush or a close answers.
struct Flushed {
  blk::Status status;
  blk::ByteSpan lost;
};
napi_value ToAnswer(napi_env env, const Flushed& flushed);

class FlushCall final : public PendingCall {
 public:
  // Admits a flush, now, in the order of the calls, and queues it. -> a promise of the outcome. Failures: those of
  // Device::Flush() · those of Completion::Submit().   REQUIRES: the device is open.
  static napi_value Submit(napi_env env, const std::shared_ptr<DeviceState>& device);

  // One on this thread is better than one that fails for want of another.
  bool MustRun() const override { return true; }

 private:
  FlushCall(napi_env env, const std::shared_ptr<DeviceState>& device);

  bool Start(blk::IoWorker& worker) override;
  void Work(blk::IoWorker& worker) override;
  napi_value Settle(napi_env env) override { return ToAnswer(env, flushed_); }
  void Done() override;

  // Keeps the device, and so the strategies behind flush_, until the call has settled.
  DeviceCall under_way_;
  blk::Device::AdmittedFlush flush_;
  Flushed flushed_;
  blk::StartedRequest started_;  // on a medium that answers later
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_FLUSH_CALL_H_
