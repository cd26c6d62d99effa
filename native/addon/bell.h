// Bell: tells JavaScript that something has happened on another thread, by a promise that comes with the next ring. It
// goes by the completion of its environment, which is there until nothing can ring any more, and keeps no process
// alive. One for each source of news. Rings on any thread, waits on the JavaScript thread.
#ifndef RUMPBLK_ADDON_BELL_H_
#define RUMPBLK_ADDON_BELL_H_

#include <atomic>
#include <memory>
#include <utility>

#include "addon/call.h"
#include "addon/completion.h"
#include "addon/napi_setup.h"

namespace blk_addon {

class Bell {
 public:
  explicit Bell(std::shared_ptr<Completion> completion) : completion_(std::move(completion)) {}
  // What nobody rang for has nobody left to tell.
  ~Bell() { delete waiter_.exchange(nullptr, std::memory_order_acquire); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  // -> a promise that resolves when the bell is rung from here on.   REQUIRES: the one before has come.
  napi_value Wait(napi_env env) {
    auto waiter = std::make_unique<Waiter>(env, *completion_);
    const napi_value promise = waiter->promise();
    waiter_.store(waiter.release(), std::memory_order_seq_cst);
    return promise;
  }

  // Costs a load while nobody waits.
  void Ring() {
    if (waiter_.load(std::memory_order_seq_cst) == nullptr) return;
    std::unique_ptr<Call> waiter(waiter_.exchange(nullptr, std::memory_order_acquire));
    // At the end of the environment there is nobody to tell.
    if (waiter && completion_->takes()) completion_->Post(std::move(waiter));
  }

 private:
  // Never counted as pending: who waits for news keeps no process.
  class Waiter final : public Call {
   public:
    Waiter(napi_env env, CallSink& sink) : Call(sink) { napi_create_promise(env, &deferred_, &promise_); }

    // Valid in the scope of the call that made it.
    napi_value promise() const { return promise_; }

    int Return(napi_env env) override {
      napi_value nothing = nullptr;
      napi_get_undefined(env, &nothing);
      napi_resolve_deferred(env, deferred_, nothing);
      return 0;
    }

   private:
    void Work(blk::IoWorker&) override {}

    napi_deferred deferred_ = nullptr;
    napi_value promise_ = nullptr;
  };

  const std::shared_ptr<Completion> completion_;
  std::atomic<Waiter*> waiter_{nullptr};  // owned
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_BELL_H_
