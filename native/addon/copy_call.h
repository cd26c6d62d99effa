// CopyCall: a copy from one device to another that the host makes itself, on its way through the I/O queue, as one
// task. JavaScript thread only, but for Work() and cancel_.
#ifndef RUMPBLK_ADDON_COPY_CALL_H_
#define RUMPBLK_ADDON_COPY_CALL_H_

#include <atomic>
#include <memory>

#include "addon/device_state.h"
#include "addon/pending_call.h"
#include "core/medium/channel.h"
#include "core/request/request.h"

namespace blk_addon {

// What is to be copied: [from, from + length) of the source to `at` of the target.
struct CopyWanted {
  uint64_t from;
  uint64_t at;
  uint64_t length;
  bool clone_only;      // as in CopySource
  bool target_is_zero;  // the same
};

class CopyCall final : public PendingCall, public Cancellable {
 public:
  // Admits the request, now, in the order of the calls of `target`, and queues it. `token` 0: cannot be cancelled.
  // -> a promise of NativeCopied in lib/native/binding.ts, or a failure of Device::AsSource() in its place.
  // REQUIRES: both devices are open.
  static napi_value Submit(napi_env env, const std::shared_ptr<DeviceState>& target,
                           const std::shared_ptr<DeviceState>& source, const CopyWanted& wanted, uint64_t token);

  bool Prepare(blk::AlignedBuffer) override { return !taken_back(); }
  // Ends it at once while it waits or is queued, after the current step when it runs.
  void Cancel(napi_env env) override;

 private:
  CopyCall(napi_env env, std::shared_ptr<DeviceState> target, std::shared_ptr<DeviceState> source,
           const blk::CopySource& from, const CopyWanted& wanted, uint64_t token);

  void Work(blk::IoWorker& worker) override;
  napi_value Settle(napi_env env) override;
  void Unrun(blk::Status why) override { request_.status = why; }
  void Done() override {
    blk::CompleteRequest(request_);
    under_way_.End();
    lent_.End();
  }

  // Keeps the target, and so the strategies behind entry_, until the call has settled; and the source.
  DeviceCall under_way_;
  DeviceCall lent_;
  blk::CopySource source_;
  blk::Request request_;
  blk::Strategy* entry_;  // where Admit() sent it
  std::atomic<bool> cancel_{false};
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_COPY_CALL_H_
