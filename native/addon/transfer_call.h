// TransferCall: a read, write or strategy on its way through the I/O queue, as one task. It runs on memory of ours:
// what a write sends is copied when its turn comes, what a read brings is copied into the caller's view when it
// settles, if the view is still there. The caller may detach or transfer the view at any time.
#ifndef RUMPBLK_ADDON_TRANSFER_CALL_H_
#define RUMPBLK_ADDON_TRANSFER_CALL_H_

#include <atomic>
#include <memory>

#include "addon/caller_view.h"
#include "addon/device_state.h"
#include "addon/pending_call.h"
#include "addon/run_now.h"
#include "core/base/aligned_buffer.h"
#include "core/request/physio.h"
#include "core/request/started_request.h"

namespace blk_addon {

// On the JavaScript thread but for Work(), which touches request_, its memory and cancel_ alone.
class TransferCall final : public PendingCall, public Cancellable {
 public:
  // Answers at once when that takes no disk, else queues `request`, whose data points into `view` at `view_offset`
  // bytes, or what is left of it; what is longer than a part goes as a LongTransfer. `token` 0: cannot be cancelled.
  // Draws for faults in any case, now, in the order of the calls.
  // -> the outcome or a promise of it. Failures: those of RunRequest() · ENOMEM no memory for the copy · EFAULT the
  // view no longer holds what is to be copied · ECANCELED · those of Completion::Submit().
  // REQUIRES: the device is open.
  static napi_value Submit(napi_env env, const std::shared_ptr<DeviceState>& device, blk::Request&& request,
                           napi_value view, size_t view_offset, uint64_t token);

  ~TransferCall() override;

  size_t MemoryNeeded() const override { return taken_back() || !request_.moves() ? 0 : size(); }
  bool Prepare(blk::AlignedBuffer memory) override;
  // Ends it at once while it waits or is queued, after the current segment when it runs.
  void Cancel(napi_env env) override;

 private:
  // `request`: what is left of it is run; `now`: what is known of that.
  TransferCall(napi_env env, std::shared_ptr<DeviceState> device, const blk::Request& request, blk::Strategy& entry,
               Now now, napi_value view, size_t view_offset, uint64_t token);

  // Bytes that it has to move.
  size_t size() const { return request_.length - begin_; }
  void Wait() override { view_.Keep(); }
  // Copies what a write sends into memory_. -> false when the view no longer holds it.
  bool Fetch();
  // Lets go of the memory, and of the view.
  void DropMemory();
  bool Start(blk::IoWorker& worker) override;
  // A read of a host file that is known to wait. A server's are sent together by a worker that takes many.
  bool StartsHere() override {
    return now_ == Now::kWouldWait && request_.operation == blk::Operation::kRead && under_way_->device->tells_memory();
  }
  void Work(blk::IoWorker& worker) override;
  napi_value Settle(napi_env env) override;
  void Unrun(blk::Status why) override { request_.status = why; }
  void Done() override {
    blk::CompleteRequest(request_);
    under_way_.End();
  }

  const napi_env env_;
  // Keeps the device, and so the strategies behind entry_, until the call has settled.
  DeviceCall under_way_;
  blk::Request request_;
  const size_t begin_;    // of what this call moves: before it lies what was answered on the spot
  blk::Strategy* entry_;  // where Admit() sent it
  Now now_;
  std::atomic<bool> cancel_{false};
  blk::StartedRequest started_;  // on a medium that answers later
  blk::AlignedBuffer memory_;
  CallerView view_;  // of a read, and of a write that has to wait for its turn
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_TRANSFER_CALL_H_
