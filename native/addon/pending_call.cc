#include "addon/pending_call.h"

#include "addon/edge.h"
#include "addon/outcome.h"

namespace blk_addon {

PendingCall::PendingCall(napi_env env, CallSink& sink) : Call(sink) { napi_create_promise(env, &deferred_, &promise_); }

int PendingCall::Return(napi_env env) {
  // GiveUp() runs on this thread, and Run() is over: the state does not change any more.
  if (taken_back()) return 0;
  // First the bookkeeping: what runs when the promise resolves may close the device, and must not find this call there.
  const blk::Status none{ENOMEM, blk::Op::kStrategy};
  if (no_memory()) Unrun(none);
  Done();
  Resolve(env, no_memory() ? ToFailure(env, none) : OrNoMemory(env, [&] { return Settle(env); }));
  return 1;
}

void PendingCall::RunHere(napi_env env) {
  WorkHere();
  Return(env);
}

void PendingCall::Refuse(napi_env env, blk::Status status) {
  Unrun(status);
  Done();
  Resolve(env, ToFailure(env, status));
}

bool PendingCall::GiveUp(napi_env env, blk::Status status) {
  if (!TakeBack()) return false;
  EndUnrun(env, status);
  return true;
}

void PendingCall::EndUnrun(napi_env env, blk::Status status) {
  sink().CountOut();
  Refuse(env, status);
}

void PendingCall::Resolve(napi_env env, napi_value value) { napi_resolve_deferred(env, deferred_, value); }

}  // namespace blk_addon
