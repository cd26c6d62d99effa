#include "addon/completion.h"

#include <utility>

namespace blk_addon {

Completion::Completion(napi_env env) : env_(env) {
  napi_value name = nullptr;
  napi_create_string_utf8(env, "rumpblk", NAPI_AUTO_LENGTH, &name);
  // No JavaScript function behind it: OnWake() is called with nothing but the context. The queue is unbounded (0), and
  // one thread counts as its user (1): this object, until Abandon().
  napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, OnWake, &wake_);
  napi_unref_threadsafe_function(env, wake_);
  napi_get_uv_event_loop(env, &loop_);
}

void Completion::NoteTurn() {
  uv_metrics_s metrics{};
  // A count that has moved says that other events had their chance.
  if (uv_metrics_info(loop_, &metrics) != 0 || metrics.loop_count == turn_) return;
  turn_ = metrics.loop_count;
  turn_began_ = Clock::now();
  answers_left_ = kAnswersALook;
}

napi_value Completion::Submit(CallFlow& flow, std::unique_ptr<PendingCall> call) {
  napi_value promise = call->promise();
  PendingCall* pending = call.get();
  std::unique_ptr<blk::IoTask> task = std::move(call);
  // Behind calls that wait already: the order of the calls is the order of the queue.
  const bool behind = !flow.backlog_.empty();
  switch (behind ? blk::IoQueue::Outcome::kFull : flow.queue_.TryPut(flow.flow_, task)) {
    case blk::IoQueue::Outcome::kQueued: CountPending(+1); break;
    case blk::IoQueue::Outcome::kFull:
      if (!behind) flow.next_with_backlog_ = std::exchange(with_backlog_, &flow);
      flow.backlog_.PushBack(std::move(task));
      CountPending(+1);
      break;
    case blk::IoQueue::Outcome::kNoMemory: RunOrRefuse(*pending, ENOMEM); break;
    case blk::IoQueue::Outcome::kNoThreads: RunOrRefuse(*pending, EAGAIN); break;
    // The driver was closed: nothing more is queued on it.
    case blk::IoQueue::Outcome::kStopped: pending->Refuse(env_, {EBADF, blk::Op::kStrategy}); break;
  }
  return promise;
}

void Completion::RunOrRefuse(PendingCall& call, int err) {
  if (call.MustRun()) {
    call.RunHere(env_);
  } else {
    call.Refuse(env_, {err, blk::Op::kStrategy});
  }
}

void Completion::Post(std::unique_ptr<PendingCall> call) {
  // A list that only grows at its head and is only taken whole: nothing is ever popped, so a call that comes again at
  // the same address does no harm. Release, with the acquire in TakeDone(): what Work() has left goes with the call.
  PendingCall* const posted = call.release();
  PendingCall* before = done_.load(std::memory_order_relaxed);
  do {
    posted->done_before_ = before;
  } while (!done_.compare_exchange_weak(before, posted, std::memory_order_release, std::memory_order_relaxed));
  // The queue of the thread-safe function is unbounded, so this fails only when the environment is closing; Abandon()
  // then takes what is left.
  if (before == nullptr) static_cast<void>(napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking));
}

void Completion::OnWake(napi_env env, napi_value, void* context, void*) {
  if (env != nullptr) static_cast<Completion*>(context)->SettleAll();
}

void Completion::SettleAll() {
  NoteTurn();
  PendingCall* next = TakeDone();
  // Before anything settles: the workers go on while JavaScript runs.
  Refill();
  int settled = 0;
  while (next != nullptr) {
    // A scope for each call: the handles of a burst of thousands go as it settles, not when all have.
    std::unique_ptr<PendingCall> call(next);
    next = call->done_before_;
    napi_handle_scope scope;
    napi_open_handle_scope(env_, &scope);
    if (call->Finish(env_)) settled++;
    call.reset();
    napi_close_handle_scope(env_, scope);
  }
  CountPending(-settled);
}

PendingCall* Completion::TakeDone() {
  PendingCall* latest = done_.exchange(nullptr, std::memory_order_acquire);
  PendingCall* first = nullptr;
  while (latest != nullptr) {
    // Turned around on the way: the list leads from the latest back.
    PendingCall* const before = std::exchange(latest->done_before_, first);
    first = std::exchange(latest, before);
  }
  return first;
}

void Completion::Refill() {
  // Destroyed last: they keep the flows that are looked at here.
  blk::IoTaskList dropped;
  for (CallFlow** link = &with_backlog_; *link != nullptr;) {
    CallFlow& flow = **link;
    const blk::IoQueue::Outcome outcome = flow.queue_.PutAll(flow.flow_, flow.backlog_);
    if (outcome == blk::IoQueue::Outcome::kStopped) dropped.TakeAll(flow.backlog_);
    if (flow.backlog_.empty()) {
      *link = std::exchange(flow.next_with_backlog_, nullptr);
    } else {
      link = &flow.next_with_backlog_;
    }
  }
}

void Completion::CountPending(int change) {
  const size_t before = pending_;
  // A negative change becomes a huge one, and the sum is right all the same: unsigned numbers wrap.
  pending_ += static_cast<size_t>(change);
  if (before == 0 && pending_ > 0) napi_ref_threadsafe_function(env_, wake_);
  if (before > 0 && pending_ == 0) napi_unref_threadsafe_function(env_, wake_);
}

void Completion::Abandon() {
  // All of them first: a call may be the last that keeps the flow it is in, or another one.
  blk::IoTaskList dropped;
  while (with_backlog_ != nullptr) {
    CallFlow& flow = *with_backlog_;
    with_backlog_ = std::exchange(flow.next_with_backlog_, nullptr);
    dropped.TakeAll(flow.backlog_);
  }
  for (PendingCall* next = TakeDone(); next != nullptr;) {
    const std::unique_ptr<PendingCall> call(next);
    next = call->done_before_;
  }
  // An error of this call would have nobody left to see it.
  static_cast<void>(napi_release_threadsafe_function(wake_, napi_tsfn_abort));
}

}  // namespace blk_addon
