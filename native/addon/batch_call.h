// BatchCall: a batch on its way through the I/O queue. It runs on copies of the entries, made when it is submitted, and
// of the data, made when its turn comes, as a TransferCall does; outcomes and what was read are copied back when it
// settles, if the arrays are still there. JavaScript thread only, but for Work() and cancel_.
#ifndef RUMPBLK_ADDON_BATCH_CALL_H_
#define RUMPBLK_ADDON_BATCH_CALL_H_

#include <atomic>
#include <memory>
#include <optional>

#include "addon/batch_state.h"
#include "addon/device_state.h"
#include "addon/pending_call.h"
#include "core/base/aligned_buffer.h"
#include "core/device/started_batch.h"
#include "core/request/batch.h"

namespace blk_addon {

class BatchCall final : public PendingCall, public Cancellable {
 public:
  // Queues what `begun` has left; it was admitted. `self` is the JavaScript object that has `batch`. `token` 0: cannot
  // be cancelled.
  // -> a promise of the number that succeeded, or of a failure: ENOMEM no memory for the copies · EFAULT the caller's
  // arrays are gone when it settles · ECANCELED · those of Completion::Submit().
  // REQUIRES: no other run of this batch is under way.
  static napi_value Submit(napi_env env, napi_value self, BatchState& batch, blk::BatchRun&& begun, uint64_t token);
  ~BatchCall() override;

  size_t MemoryNeeded() const override { return taken_back() ? 0 : arena_size_; }
  bool Prepare(blk::AlignedBuffer memory) override;
  // Entries that have not begun become ECANCELED; all of them, and at once, while the call is still queued.
  void Cancel(napi_env env) override;

 private:
  BatchCall(napi_env env, napi_value self, BatchState& batch, uint64_t token);

  // Copies the control block, and takes over what has begun. -> false when there is no memory.
  bool TakeControl(blk::BatchRun&& begun);
  // Copies what the entries write, and what was answered on the spot. -> false when the caller's arena is gone.
  bool Fetch();
  void DropMemory();
  // Copies outcomes, and what was read, to the caller. -> false when its arrays are gone.
  bool GiveBack();
  bool Start(blk::IoWorker& worker) override;
  void Work(blk::IoWorker& worker) override;
  napi_value Settle(napi_env env) override;
  void Done() override;

  // Member order is destruction order, last first: run_ points into control_ and arena_.
  const napi_env env_;
  napi_ref self_ = nullptr;  // keeps the batch alive
  BatchState& batch_;
  // Shared with batch_, for Work(), which touches nothing else of that on its thread.
  DeviceCall under_way_;
  // Set on the JavaScript thread, looked at by the worker between entries and segments. Read again in Settle(), where a
  // run that was cancelled says so even if its last entry came through.
  std::atomic<bool> cancel_{false};
  size_t arena_size_ = 0;
  // Copies of the caller's control block and arena; page-aligned, for O_DIRECT and the kernel's copy.
  blk::AlignedBuffer control_;
  blk::AlignedBuffer arena_;
  // Over arena_, once that is had.
  std::optional<blk::BatchRun> run_;
  std::optional<blk::StartedBatch> started_;  // over run_, on a medium that answers later
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_BATCH_CALL_H_
