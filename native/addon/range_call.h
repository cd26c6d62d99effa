// RangeCall: a discard or a writing of zeros on its way through the I/O queue, as one task. It moves none of the
// caller's memory, and takes none of ours. JavaScript thread only, but for Work() and cancel_.
#ifndef RUMPBLK_ADDON_RANGE_CALL_H_
#define RUMPBLK_ADDON_RANGE_CALL_H_

#include <atomic>
#include <memory>

#include "addon/device_state.h"
#include "addon/pending_call.h"
#include "core/request/request.h"
#include "core/request/started_request.h"

namespace blk_addon {

class RangeCall final : public PendingCall, public Cancellable {
 public:
  // Admits `request`, now, in the order of the calls, and queues it. `token` 0: cannot be cancelled.
  // -> a promise of the outcome. Failures: those of RunRequest() · ECANCELED · those of Completion::Submit().
  // REQUIRES: the device is open.
  static napi_value Submit(napi_env env, const std::shared_ptr<DeviceState>& device, blk::Request request,
                           uint64_t token);

  bool Prepare(blk::AlignedBuffer) override { return !taken_back(); }
  // Ends it at once while it waits or is queued, after the current segment when it runs.
  void Cancel(napi_env env) override;

 private:
  RangeCall(napi_env env, std::shared_ptr<DeviceState> device, const blk::Request& request, blk::Strategy& entry,
            uint64_t token);

  bool Start(blk::IoWorker& worker) override;
  void Work(blk::IoWorker& worker) override;
  napi_value Settle(napi_env env) override;
  void Unrun(blk::Status why) override { request_.status = why; }
  void Done() override {
    blk::CompleteRequest(request_);
    under_way_.End();
  }

  // Keeps the device, and so the strategies behind entry_, until the call has settled.
  DeviceCall under_way_;
  blk::Request request_;
  blk::Strategy* const entry_;  // where Admit() sent it
  std::atomic<bool> cancel_{false};
  blk::StartedRequest started_;  // on a medium that answers later
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_RANGE_CALL_H_
