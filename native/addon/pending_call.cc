#include "addon/pending_call.h"

#include "addon/completion.h"
#include "addon/edge.h"
#include "addon/outcome.h"

namespace blk_addon {

PendingCall::PendingCall(napi_env env, Completion& completion) : completion_(completion) {
  napi_create_promise(env, &deferred_, &promise_);
}

void PendingCall::Run(std::unique_ptr<blk::IoTask> self, blk::IoWorker& worker) {
  // Against GiveUp(): the exchange alone decides. What the call consists of reaches this thread through the queue, and
  // its outcome the other one through the completion.
  State expected = State::kQueued;
  if (state_.compare_exchange_strong(expected, State::kRunning, std::memory_order_acq_rel)) WorkIfMemory(worker);
  self.release();  // owned again one line below, as what it is
  completion_.Post(std::unique_ptr<PendingCall>(this));
}

bool PendingCall::Finish(napi_env env) {
  // GiveUp() runs on this thread, and Run() is over: the state does not change any more.
  if (state_.load(std::memory_order_acquire) == State::kGivenUp) return false;
  // First the bookkeeping: what runs when the promise resolves may close the device, and must not find this call there.
  Done();
  const blk::Status no_memory{ENOMEM, blk::Op::kStrategy};
  Resolve(env, no_memory_ ? ToFailure(env, no_memory) : OrNoMemory(env, [&] { return Settle(env); }));
  return true;
}

void PendingCall::WorkIfMemory(blk::IoWorker& worker) {
  no_memory_ = !blk::HadMemory([&] { Work(worker); });
}

void PendingCall::RunHere(napi_env env) {
  state_.store(State::kRunning, std::memory_order_release);
  blk::IoWorker here(nullptr, blk::kSharedLane);
  WorkIfMemory(here);
  Finish(env);
}

void PendingCall::Refuse(napi_env env, blk::Status status) {
  Done();
  Resolve(env, ToFailure(env, status));
}

bool PendingCall::GiveUp(napi_env env, blk::Status status) {
  State expected = State::kQueued;
  // Against Run() on a worker: whoever moves the state first decides whether Work() happens.
  if (!state_.compare_exchange_strong(expected, State::kGivenUp, std::memory_order_acq_rel)) return false;
  completion_.CountOut();
  Refuse(env, status);
  return true;
}

void PendingCall::Resolve(napi_env env, napi_value value) { napi_resolve_deferred(env, deferred_, value); }

}  // namespace blk_addon
