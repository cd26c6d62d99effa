#include "addon/completion.h"

#include <utility>

#include "core/base/no_memory.h"

namespace blk_addon {

Completion::Completion(napi_env env) : env_(env) {
  napi_value name = nullptr;
  napi_create_string_utf8(env, "rumpblk", NAPI_AUTO_LENGTH, &name);
  // No JavaScript function behind them: they are called with nothing but the context. Their queues are unbounded (0),
  // and one thread counts as their user (1): this object, until Abandon().
  const auto make = [&](napi_threadsafe_function* function, napi_threadsafe_function_call_js call, napi_callback ref) {
    napi_value resource = nullptr;
    napi_create_object(env, &resource);
    napi_value has_ref = nullptr;
    napi_create_function(env, "hasRef", NAPI_AUTO_LENGTH, ref, this, &has_ref);
    napi_set_named_property(env, resource, "hasRef", has_ref);
    napi_create_threadsafe_function(env, nullptr, resource, name, 0, 1, nullptr, nullptr, this, call, function);
    napi_unref_threadsafe_function(env, *function);
  };
  // turn_ first: libuv calls them in this order, so that what OnWake() asks for comes in the turn after it.
  make(&turn_, OnTurn, TurnHasRef);
  make(&wake_, OnWake, WakeHasRef);
}

napi_value Completion::TurnHasRef(napi_env env, napi_callback_info) {
  napi_value answer = nullptr;
  napi_get_boolean(env, false, &answer);
  return answer;
}

napi_value Completion::WakeHasRef(napi_env env, napi_callback_info info) {
  void* completion = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &completion);
  napi_value answer = nullptr;
  napi_get_boolean(env, static_cast<Completion*>(completion)->pending_ > 0, &answer);
  return answer;
}

bool Completion::HasTimeLeft() {
  const Clock::time_point now = Clock::now();
  const Clock::duration taken = now - turn_began_;
  // OnTurn() is still to come, so this is the turn that has taken long.
  if (taken >= kTurn && turn_asked_) return false;
  if (taken >= kTurn / 4 && !turn_asked_) {
    turn_asked_ = napi_call_threadsafe_function(turn_, nullptr, napi_tsfn_nonblocking) == napi_ok;
    if (!turn_asked_) return false;
    // Answers had taken no quarter of a turn when the clock was last looked at: since then the thread did something
    // else.
    if (taken >= kTurn) turn_began_ = now;
  }
  answers_left_ = kAnswersALook;
  return true;
}

void Completion::OnTurn(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  Completion& completion = *static_cast<Completion*>(context);
  completion.turn_asked_ = false;
  completion.turn_began_ = Clock::now();
  completion.answers_left_ = kAnswersALook;
  // Relaxed: whoever posts to an empty list wakes this thread anyhow.
  const bool done = completion.done_.load(std::memory_order_relaxed) != nullptr;
  if (done || !completion.for_turn_.empty()) completion.Wake();
}

bool Completion::AwaitTurn(const blk::IntakeFlow* flow, std::shared_ptr<TurnWaiter> waiter, blk::Intake::Place place) {
  // Without one that is asked for, none comes that would serve it.
  if (!turn_asked_) return false;
  return blk::HadMemory([&] {
    std::list<std::shared_ptr<TurnWaiter>> added{std::move(waiter)};
    auto line = std::find_if(for_turn_.begin(), for_turn_.end(), [&](const TurnLine& of) { return of.flow == flow; });
    if (line == for_turn_.end()) line = for_turn_.insert(line, {flow, {}});
    auto& waiters = line->waiters;
    waiters.splice(place == blk::Intake::Place::kAhead ? waiters.begin() : waiters.end(), added);
  });
}

napi_value Completion::Submit(CallIntake& intake, blk::IntakeFlow& flow, std::unique_ptr<PendingCall> call) {
  if (ending_) return nullptr;
  napi_value promise = call->promise();
  PendingCall& pending = *call;
  std::unique_ptr<blk::IntakeTask> task = std::move(call);
  CountPending(+1);
  switch (Put(intake, flow, task)) {
    // Under way, or waiting; or it has settled, and counted itself out.
    case blk::Intake::Outcome::kTaken:
    case blk::Intake::Outcome::kEnded: break;
    case blk::Intake::Outcome::kNoMemory: RunOrRefuse(pending, ENOMEM); break;
    case blk::Intake::Outcome::kNoThreads: RunOrRefuse(pending, EAGAIN); break;
    // The driver was closed: nothing more is queued on it.
    case blk::Intake::Outcome::kStopped:
      CountPending(-1);
      pending.Refuse(env_, {EBADF, blk::Op::kStrategy});
      break;
  }
  return promise;
}

blk::Intake::Outcome Completion::Put(CallIntake& intake, blk::IntakeFlow& flow, std::unique_ptr<blk::IntakeTask>& call,
                                     blk::Intake::Place place) {
  const blk::Intake::Outcome outcome = intake.intake_.Put(flow, call, place);
  if (intake.waiting() && !std::exchange(intake.listed_, true)) {
    intake.next_waiting_ = std::exchange(with_waiting_, &intake);
  }
  return outcome;
}

void Completion::RunOrRefuse(PendingCall& call, int err) {
  CountPending(-1);
  if (call.MustRun()) {
    call.RunHere(env_);
  } else {
    call.Refuse(env_, {err, blk::Op::kStrategy});
  }
}

void Completion::Post(std::unique_ptr<Call> call) {
  // A list that only grows at its head and is only taken whole: nothing is ever popped, so a call that comes again at
  // the same address does no harm. Release, with the acquire in TakeDone(): what Work() has left goes with the call.
  Call* const posted = call.release();
  Call* before = done_.load(std::memory_order_relaxed);
  do {
    posted->done_before_ = before;
  } while (!done_.compare_exchange_weak(before, posted, std::memory_order_release, std::memory_order_relaxed));
  if (before == nullptr) Wake();
}

void Completion::Wake() {
  // The queue of the thread-safe function is unbounded, so this fails only when the environment is closing; Abandon()
  // then takes what is left.
  static_cast<void>(napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking));
}

void Completion::OnWake(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  Completion& completion = *static_cast<Completion*>(context);
  // The runtime calls this again and again in one turn, for as long as workers have something done. What is done when
  // the turn has taken long is settled in the next one.
  if (completion.HasTimeLeft()) completion.SettleAll();
}

void Completion::SettleAll() {
  Call* next = TakeDone();
  // Before anything settles: the workers go on while JavaScript runs.
  Refill();
  int settled = 0;
  while (next != nullptr) {
    // A scope for each call: the handles of a burst of thousands go as it settles, not when all have.
    std::unique_ptr<Call> call(next);
    next = call->done_before_;
    napi_handle_scope scope;
    napi_open_handle_scope(env_, &scope);
    settled += call->Return(env_);
    call.reset();
    napi_close_handle_scope(env_, scope);
  }
  settled += ServeTurns();
  // Once more: those that have settled gave their memory back.
  Refill();
  CountPending(-settled);
}

int Completion::ServeTurns() {
  int settled = 0;
  while (!for_turn_.empty() && MayAnswerNow(0)) {
    auto& waiters = for_turn_.front().waiters;
    const std::shared_ptr<TurnWaiter> waiter = std::move(waiters.front());
    waiters.pop_front();
    // Before it runs, as it may wait for another turn.
    if (waiters.empty()) {
      for_turn_.pop_front();
    } else {
      for_turn_.splice(for_turn_.end(), for_turn_, for_turn_.begin());
    }
    napi_handle_scope scope;
    napi_open_handle_scope(env_, &scope);
    settled += waiter->Turn();
    napi_close_handle_scope(env_, scope);
  }
  return settled;
}

Call* Completion::TakeDone() {
  Call* latest = done_.exchange(nullptr, std::memory_order_acquire);
  Call* first = nullptr;
  while (latest != nullptr) {
    // Turned around on the way: the list leads from the latest back.
    Call* const before = std::exchange(latest->done_before_, first);
    first = std::exchange(latest, before);
  }
  return first;
}

void Completion::Refill() {
  // Destroyed last: they keep what is looked at here.
  blk::IoTaskList ended;
  for (CallIntake** link = &with_waiting_; *link != nullptr;) {
    CallIntake& calls = **link;
    calls.intake_.Refill(ended);
    if (calls.waiting()) {
      link = &calls.next_waiting_;
    } else {
      *link = std::exchange(calls.next_waiting_, nullptr);
      calls.listed_ = false;
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
  takes_.store(false, std::memory_order_relaxed);
  started_.CloseAndWait();
  // All of them first: a call may be the last that keeps the flow it is in, or another one.
  blk::IoTaskList dropped;
  while (with_waiting_ != nullptr) {
    CallIntake& calls = *with_waiting_;
    with_waiting_ = std::exchange(calls.next_waiting_, nullptr);
    calls.intake_.TakeAll(dropped);
  }
  for (Call* next = TakeDone(); next != nullptr;) {
    const std::unique_ptr<Call> call(next);
    next = call->done_before_;
  }
  for_turn_.clear();
  // An error of these calls would have nobody left to see it.
  static_cast<void>(napi_release_threadsafe_function(wake_, napi_tsfn_abort));
  static_cast<void>(napi_release_threadsafe_function(turn_, napi_tsfn_abort));
}

}  // namespace blk_addon
