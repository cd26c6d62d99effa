#include "addon/completion.h"

#include <algorithm>
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
  const uint64_t now = uv_now(loop_);
  // libuv updates the clock once a turn, so a clock that has moved says that other events had their chance.
  if (now == turn_ms_) return;
  turn_ms_ = now;
  answers_left_ = kAnswersATurn;
}

napi_value Completion::Submit(Backlog& backlog, std::unique_ptr<PendingCall> call) {
  napi_value promise = call->promise();
  PendingCall* pending = call.get();
  std::unique_ptr<blk::IoTask> task = std::move(call);
  // Behind calls that wait already: the order of the calls is the order of the queue.
  const auto outcome = backlog.calls.empty() ? backlog.queue.TryPut(task) : blk::IoQueue::Outcome::kFull;
  switch (outcome) {
    case blk::IoQueue::Outcome::kQueued: CountPending(+1); break;
    case blk::IoQueue::Outcome::kFull:
      backlog.calls.push_back(std::move(task));
      CountPending(+1);
      break;
    case blk::IoQueue::Outcome::kNoThreads:
      if (pending->MustRun()) {
        pending->RunHere(env_);
      } else {
        pending->Refuse(env_, {EAGAIN, blk::Op::kStrategy});
      }
      break;
    case blk::IoQueue::Outcome::kStopped: pending->Refuse(env_, {EBADF, blk::Op::kStrategy}); break;
  }
  return promise;
}

void Completion::Post(std::unique_ptr<PendingCall> call) {
  bool first;
  {
    blk::MutexLock lock(mu_);
    first = done_.empty();
    done_.push_back(std::move(call));
  }
  // The queue of the thread-safe function is unbounded, so this fails only when the environment is closing; Abandon()
  // then takes what is left.
  if (first) static_cast<void>(napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking));
}

void Completion::OnWake(napi_env env, napi_value, void* context, void*) {
  if (env != nullptr) static_cast<Completion*>(context)->SettleAll();
}

void Completion::SettleAll() {
  NoteTurn();
  std::vector<std::unique_ptr<PendingCall>> done;
  {
    blk::MutexLock lock(mu_);
    done.swap(done_);
  }
  // Before anything settles: the workers go on while JavaScript runs.
  for (Backlog* backlog : backlogs_) Refill(*backlog);
  for (std::unique_ptr<PendingCall>& call : done) {
    // A scope for each call: the handles of a burst of thousands go as it settles, not when all have.
    napi_handle_scope scope;
    napi_open_handle_scope(env_, &scope);
    call->Finish(env_);
    call.reset();
    napi_close_handle_scope(env_, scope);
  }
  CountPending(-static_cast<int>(done.size()));
}

void Completion::Refill(Backlog& backlog) {
  while (!backlog.calls.empty() && backlog.queue.TryPut(backlog.calls.front()) == blk::IoQueue::Outcome::kQueued) {
    backlog.calls.pop_front();
  }
}

void Completion::CountPending(int change) {
  const size_t before = pending_;
  pending_ += static_cast<size_t>(change);
  if (before == 0 && pending_ > 0) napi_ref_threadsafe_function(env_, wake_);
  if (before > 0 && pending_ == 0) napi_unref_threadsafe_function(env_, wake_);
}

void Completion::Abandon() {
  std::vector<std::unique_ptr<PendingCall>> done;
  {
    blk::MutexLock lock(mu_);
    done.swap(done_);
  }
  // An error of this call would have nobody left to see it.
  static_cast<void>(napi_release_threadsafe_function(wake_, napi_tsfn_abort));
}

void Completion::RemoveBacklog(Backlog* backlog) {
  backlogs_.erase(std::remove(backlogs_.begin(), backlogs_.end(), backlog), backlogs_.end());
}

}  // namespace blk_addon
