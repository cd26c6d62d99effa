// PendingCall: one promise that native code owes to JavaScript, and the one task that it takes. Settle() runs on the
// JavaScript thread behind Work(). It can be given up while it still waits: it settles at once, and Work() never
// begins.
#ifndef RUMPBLK_ADDON_PENDING_CALL_H_
#define RUMPBLK_ADDON_PENDING_CALL_H_

#include <memory>
#include <utility>

#include "addon/call.h"
#include "core/base/status.h"

namespace blk_addon {

// A call that is given up is pending no more.   Thread: JavaScript, but for Work().
class PendingCall : public Call {
 public:
  // Makes the promise.
  PendingCall(napi_env env, CallSink& sink);

  // The promise that JavaScript gets.
  napi_value promise() const { return promise_; }

  // Resolves the promise with Settle()'s value, unless GiveUp() has done so.
  int Return(napi_env env) final;
  // Runs Work() on this thread, which may block it, and settles. For calls that must not be refused when no thread can
  // be had.
  void RunHere(napi_env env);
  // Keeps `owner` until the call is gone: the flow that it waits in is part of it. For a call that does not by itself.
  void Keep(std::shared_ptr<const void> owner) { kept_ = std::move(owner); }
  // As Call::HoldBy(), for who makes it.
  void HeldBy(std::shared_ptr<const blk::Decision> decided) { HoldBy(std::move(decided)); }
  // Whether RunHere() is better than Refuse().
  virtual bool MustRun() const { return false; }
  // Resolves the promise with `status` as a failure; Work() and Settle() are never called. REQUIRES: not run, and no
  // worker is going to.
  void Refuse(napi_env env, blk::Status status);

 protected:
  // Does the same to a call that Completion has taken, and counts it out. -> false when it runs already, or was given
  // up before.
  bool GiveUp(napi_env env, blk::Status status);
  // Does the same to one that finds at its turn that it cannot run.
  void EndUnrun(napi_env env, blk::Status status);
  // -> what the promise resolves with. Called once, after Work().
  virtual napi_value Settle(napi_env env) = 0;
  // Called before Done() where Work() never began, or ended without memory: why.
  virtual void Unrun(blk::Status why) { static_cast<void>(why); }
  // Called once before the promise resolves, whatever became of the call.
  virtual void Done() {}

 private:
  // Once. A promise never rejects: lib makes the Error of a value that says failure.
  void Resolve(napi_env env, napi_value value);

  // The other end of promise_; gone once it is resolved.
  napi_deferred deferred_ = nullptr;
  napi_value promise_ = nullptr;  // valid in the scope of the call that made it
  std::shared_ptr<const void> kept_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_PENDING_CALL_H_
