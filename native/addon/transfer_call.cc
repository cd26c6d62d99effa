#include "addon/transfer_call.h"

#include <utility>

#include "addon/args.h"
#include "addon/long_transfer.h"
#include "addon/outcome.h"
#include "core/host/copy.h"

namespace blk_addon {

TransferCall::TransferCall(napi_env env, std::shared_ptr<DeviceState> device, const blk::Transfer& transfer,
                           blk::Strategy& entry, Now now, napi_value view, size_t view_offset, uint64_t token)
    : PendingCall(env, *EnvState::Of(env).completion),
      env_(env),
      device_(std::move(device)),
      transfer_(transfer),
      begin_(transfer.moved),
      entry_(&entry),
      token_(token),
      now_(now),
      view_(env, view, view_offset) {
  // Points into this object, which is never moved.
  if (token != 0) transfer_.cancel = &cancel_;
}

TransferCall::~TransferCall() { DropMemory(); }

napi_value TransferCall::Submit(napi_env env, const std::shared_ptr<DeviceState>& device, blk::Transfer&& transfer,
                                napi_value view, size_t view_offset, uint64_t token) {
  DeviceState& state = *device;
  blk::Strategy& entry = state.device->Admit(transfer);
  // Admitted once: the queued call goes on with what was drawn here, and through the strategies that it was admitted
  // to.
  // What a lease lends is not answered on the spot: the host must not touch it inside a call.
  const bool may_run = !state.lent.Meets(transfer.data, transfer.length);
  const Now now = RunNow(entry, transfer, transfer.data,
                         [&](size_t bytes) { return may_run && state.driver->MayAnswerNow(bytes); });
  if (now == Now::kDone) return ToOutcome(env, transfer);
  const bool is_long = transfer.moves() && transfer.length - transfer.moved > PartOf(transfer.op);
  if (is_long) return LongTransfer::Submit(env, device, transfer, entry, view, view_offset, token);
  std::unique_ptr<TransferCall> call(new TransferCall(env, device, transfer, entry, now, view, view_offset, token));
  // The view is where the answer goes. A write looks at it once more if it has to wait.
  if (transfer.op == blk::BufOp::kRead) call->view_.Keep();
  state.Begin(token, call.get());
  return state.Submit(std::move(call));
}

bool TransferCall::Prepare(blk::AlignedBuffer memory) {
  if (taken_back()) return false;
  memory_ = std::move(memory);
  if (!transfer_.moves()) return true;
  blk::Status status = blk::Status::Ok();
  if (memory_.data() == nullptr) status = {ENOMEM, blk::Op::kStrategy};
  if (status.ok() && transfer_.op == blk::BufOp::kWrite && !Fetch()) status = {EFAULT, blk::Op::kPwrite};
  if (status.ok()) return true;
  EndUnrun(env_, status);
  return false;
}

bool TransferCall::Fetch() {
  if (view_.kept()) return view_.CopyTo(memory_.data(), begin_, size());
  blk::CopyBytes(memory_.data(), transfer_.data + begin_, size());
  return true;
}

void TransferCall::DropMemory() {
  device_->driver->driver.request_memory().Give(std::move(memory_), size());
  view_.Drop();
}

void TransferCall::Work(blk::IoWorker& worker) {
  transfer_.lane = worker.lane();
  // Pages that are in memory need no other worker to be woken for what is queued behind.
  if (now_ == Now::kNotTried) now_ = RunNow(*entry_, transfer_, memory_.data(), [](size_t) { return true; });
  if (now_ == Now::kDone) return;
  if (now_ == Now::kWouldWait) worker.WillBlock();
  if (now_ == Now::kUnknown) worker.MayBlock();
  const size_t done = transfer_.moved - begin_;
  blk::RunPart(*entry_, transfer_, memory_.data() + done, size() - done);
}

napi_value TransferCall::Settle(napi_env env) {
  const size_t moved = transfer_.moved - begin_;
  // Also of a read that failed half-way: what moved before is the caller's, as bytesTransferred says.
  if (moved > 0 && transfer_.op == blk::BufOp::kRead && !view_.CopyFrom(memory_.data(), begin_, moved)) {
    return ToFailure(env, {EFAULT, blk::Op::kPread}, {.blkno = transfer_.failed_blkno});
  }
  return ToOutcome(env, transfer_);
}

void TransferCall::Cancel(napi_env env) {
  // Relaxed: the flag carries nothing but itself, and the worker may see it late.
  cancel_.store(true, std::memory_order_relaxed);
  // Not begun: the promise settles now, and no worker will touch the memory.
  if (GiveUp(env, {ECANCELED, blk::Op::kStrategy})) DropMemory();
}

}  // namespace blk_addon
