// TransferCall: a read, write or strategy on its way through the I/O queue. It runs on memory of ours: what a write
// sends is copied when it is submitted, what a read brings is copied into the caller's view when it settles, if the
// view is still there. The caller may detach or transfer the view at any time.
#ifndef RUMPBLK_ADDON_TRANSFER_CALL_H_
#define RUMPBLK_ADDON_TRANSFER_CALL_H_

#include <atomic>
#include <memory>

#include "addon/device_state.h"
#include "addon/pending_call.h"
#include "core/base/aligned_buffer.h"
#include "core/request/physio.h"

namespace blk_addon {

// On the JavaScript thread but for Work(), which touches transfer_, its memory and cancel_ alone.
class TransferCall final : public PendingCall, public Cancellable {
 public:
  // What became of an attempt to run without waiting: if it was not run, whether it has to wait, as far as is known.
  enum class Now : uint8_t { kNotTried, kDone, kWouldWait, kUnknown };

  // Answers at once when that takes no disk, else queues `transfer`, whose data points into `view` at `view_offset`
  // bytes. `token` 0: cannot be cancelled. Draws for faults in any case, now, in the order of the calls.
  // -> the outcome or a promise of it. Failures: those of RunTransfer() · ENOMEM no memory for the copy · EFAULT the
  // view no longer holds what a read is to be copied into · ECANCELED · those of Completion::Submit().
  // REQUIRES: the device is open.
  static napi_value Submit(napi_env env, const std::shared_ptr<DeviceState>& device, blk::Transfer transfer,
                           napi_value view, size_t view_offset, uint64_t token);

  ~TransferCall() override;

  // Ends it at once while it is queued, after the current segment when it runs.
  void Cancel(napi_env env) override;

 private:
  TransferCall(napi_env env, std::shared_ptr<DeviceState> device, const blk::Transfer& transfer, blk::Strategy& entry,
               uint64_t token);

  // Moves transfer_.data from the view into memory of ours: a copy for a write, room for a read. -> false when there is
  // none.
  bool TakeMemory(napi_value view, size_t view_offset);
  // Lets go of it, and of the view.
  void DropMemory();
  void Work(blk::IoWorker& worker) override;
  napi_value Settle(napi_env env) override;
  void Done() override { device_->End(token_); }
  // Copies what was read into the view. -> false when the view no longer holds that range.
  bool DeliverTo(napi_env env);

  const napi_env env_;
  // Keeps the device, and so the strategies behind entry_, until the call has settled.
  const std::shared_ptr<DeviceState> device_;
  blk::Transfer transfer_;
  blk::Strategy* entry_;  // where Admit() sent it
  const uint64_t token_;
  Now now_ = Now::kNotTried;
  std::atomic<bool> cancel_{false};
  blk::AlignedBuffer memory_;
  napi_ref view_ = nullptr;  // reads only
  size_t view_offset_ = 0;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_TRANSFER_CALL_H_
