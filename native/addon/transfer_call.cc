#include "addon/transfer_call.h"

#include <utility>

#include "addon/args.h"
#include "addon/outcome.h"
#include "core/host/copy.h"

namespace blk_addon {

namespace {

// Bytes: the most that is copied on the JavaScript thread inside a promise form; beyond it a worker does it meanwhile.
constexpr size_t kMaxNow = 256 * 1024;

using Now = TransferCall::Now;

// Runs a read that needs no disk, of one buf, so that it moves all or nothing. Unless it is done, nothing has happened.
Now RunNow(blk::Strategy& entry, blk::Transfer& transfer) {
  if (transfer.op == blk::BufOp::kWrite) return transfer.durable ? Now::kWouldWait : Now::kUnknown;
  if (transfer.length > kMaxNow || transfer.chunk_count() > 1) return Now::kUnknown;
  transfer.nowait = true;
  blk::RunTransfer(entry, transfer);
  if (!blk::IsUndone(transfer.status)) return Now::kDone;
  const Now now = transfer.status.err == EAGAIN ? Now::kWouldWait : Now::kUnknown;
  transfer.nowait = false;
  transfer.status = blk::Status::Ok();
  return now;
}

}  // namespace

TransferCall::TransferCall(napi_env env, std::shared_ptr<DeviceState> device, const blk::Transfer& transfer,
                           blk::Strategy& entry, uint64_t token)
    : PendingCall(env, *EnvState::Of(env).completion),
      env_(env),
      device_(std::move(device)),
      transfer_(transfer),
      entry_(&entry),
      token_(token) {
  // Points into this object, which is never moved.
  if (token != 0) transfer_.cancel = &cancel_;
}

TransferCall::~TransferCall() { DropMemory(); }

napi_value TransferCall::Submit(napi_env env, const std::shared_ptr<DeviceState>& device, blk::Transfer transfer,
                                napi_value view, size_t view_offset, uint64_t token) {
  DeviceState& state = *device;
  blk::Strategy& entry = state.device->Admit(transfer);
  // Admitted once: the queued call goes on with what was drawn here, and through the strategies that it was admitted
  // to.
  Now now = Now::kNotTried;
  if (state.driver->MayAnswerNow() && !state.lent.Meets(transfer.data, transfer.length)) now = RunNow(entry, transfer);
  if (now == Now::kDone) return ToOutcome(env, transfer);
  std::unique_ptr<TransferCall> call(new TransferCall(env, device, transfer, entry, token));
  call->now_ = now;
  state.Begin(token, call.get());
  if (!call->TakeMemory(view, view_offset)) {
    napi_value promise = call->promise();
    call->Refuse(env, {ENOMEM, blk::Op::kStrategy});
    return promise;
  }
  return state.Submit(std::move(call));
}

bool TransferCall::TakeMemory(napi_value view, size_t view_offset) {
  if (transfer_.length == 0) return true;
  memory_ = completion().memory().Take(transfer_.length);
  if (memory_.data() == nullptr) return false;
  if (transfer_.op == blk::BufOp::kWrite) {
    blk::CopyBytes(memory_.data(), transfer_.data, transfer_.length);
  } else {
    // Strong: the view is where the answer goes, even if the caller keeps nothing but the promise.
    napi_create_reference(env_, view, 1, &view_);
    view_offset_ = view_offset;
  }
  transfer_.data = memory_.data();
  return true;
}

void TransferCall::DropMemory() {
  completion().memory().Give(std::move(memory_), transfer_.length);
  if (view_ != nullptr) napi_delete_reference(env_, std::exchange(view_, nullptr));
}

void TransferCall::Work(blk::IoWorker& worker) {
  transfer_.lane = worker.lane();
  // Pages that are in memory need no other worker to be woken for what is queued behind.
  if (now_ == Now::kNotTried) now_ = RunNow(*entry_, transfer_);
  if (now_ == Now::kDone) return;
  if (now_ == Now::kWouldWait) worker.WillBlock();
  if (now_ == Now::kUnknown) worker.MayBlock();
  blk::RunTransfer(*entry_, transfer_);
}

napi_value TransferCall::Settle(napi_env env) {
  // Also of a read that failed half-way: what moved before is the caller's, as bytesTransferred says.
  if (transfer_.moved > 0 && transfer_.op == blk::BufOp::kRead && !DeliverTo(env)) {
    return ToFailure(env, {EFAULT, blk::Op::kPread}, {.blkno = transfer_.failed_blkno});
  }
  return ToOutcome(env, transfer_);
}

bool TransferCall::DeliverTo(napi_env env) {
  // Looked up anew: since the call was made the view may have been detached, and its memory may be somebody else's.
  napi_value view = nullptr;
  napi_get_reference_value(env, view_, &view);
  const ViewBytes bytes = BytesOf(env, view);
  if (bytes.data == nullptr || bytes.size < view_offset_ || bytes.size - view_offset_ < transfer_.moved) return false;
  blk::CopyBytes(bytes.data + view_offset_, memory_.data(), transfer_.moved);
  return true;
}

void TransferCall::Cancel(napi_env env) {
  // Relaxed: the flag carries nothing but itself, and the worker may see it late.
  cancel_.store(true, std::memory_order_relaxed);
  // Still queued: the promise settles now, and no worker will touch the memory.
  if (GiveUp(env, {ECANCELED, blk::Op::kStrategy})) DropMemory();
}

}  // namespace blk_addon
