// PendingCall: one promise that native code owes to JavaScript. Work() runs on an I/O worker, Settle() on the
// JavaScript thread afterwards; construction and destruction are on the JavaScript thread too, so that references die
// there. It can be given up while it still waits in the queue: it settles at once, and Work() never begins.
#ifndef RUMPBLK_ADDON_PENDING_CALL_H_
#define RUMPBLK_ADDON_PENDING_CALL_H_

#include <atomic>
#include <memory>
#include <utility>

#include "addon/napi_setup.h"
#include "core/base/status.h"
#include "core/work/io_queue.h"

namespace blk_addon {

class Completion;

// Its states: queued, then running and done, or given up. A call that is given up is pending no more, but still passes
// through the queue and the completion, which destroy it on the right thread.
class PendingCall : public blk::IoTask {
 public:
  // Makes the promise. Thread: JavaScript.   `completion` outlives the call.
  PendingCall(napi_env env, Completion& completion);

  // The promise that JavaScript gets.
  napi_value promise() const { return promise_; }

  // Runs Work() unless given up, and hands itself to the completion; this object may be gone when it returns. Thread: a
  // worker.
  void Run(std::unique_ptr<blk::IoTask> self, blk::IoWorker& worker) final;
  // Resolves the promise with Settle()'s value. Once, after Run(). -> false when GiveUp() has done so: nothing happens.
  // Thread: JavaScript, as for all below.
  bool Finish(napi_env env);
  // Runs Work() on this thread, which may block it, and settles. For calls that must not be refused when no thread can
  // be had.
  void RunHere(napi_env env);
  // Keeps `owner` until the call is gone: the flow that it waits in is part of it. For a call that does not by itself.
  void Keep(std::shared_ptr<const void> owner) { kept_ = std::move(owner); }
  // Whether RunHere() is better than Refuse().
  virtual bool MustRun() const { return false; }
  // Resolves the promise with `status` as a failure; Work() and Settle() are never called. REQUIRES: not run, and no
  // worker is going to.
  void Refuse(napi_env env, blk::Status status);
  // Does the same to a call that Completion has queued and counts as pending. -> false when it runs already, or was
  // given up before.
  bool GiveUp(napi_env env, blk::Status status);

 protected:
  Completion& completion() const { return completion_; }

  // Thread: any worker. Touches nothing of JavaScript.
  virtual void Work(blk::IoWorker& worker) = 0;
  // -> what the promise resolves with. Called once, after Work().
  virtual napi_value Settle(napi_env env) = 0;
  // Called once on the JavaScript thread before the promise resolves, whatever became of the call.
  virtual void Done() {}

 private:
  friend class Completion;

  enum class State : uint8_t { kQueued, kRunning, kGivenUp };

  void WorkIfMemory(blk::IoWorker& worker);
  // Once. A promise never rejects: lib makes the Error of a value that says failure.
  void Resolve(napi_env env, napi_value value);

  bool no_memory_ = false;  // Work() ran out of it
  Completion& completion_;
  // The other end of promise_; gone once it is resolved.
  napi_deferred deferred_ = nullptr;
  napi_value promise_ = nullptr;  // valid in the scope of the call that made it
  // Moved once, from kQueued: by the worker that begins the call, or by GiveUp().
  std::atomic<State> state_{State::kQueued};
  PendingCall* done_before_ = nullptr;  // Completion's: its list of calls that are done
  std::shared_ptr<const void> kept_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_PENDING_CALL_H_
