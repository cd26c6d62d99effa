#include "addon/call.h"

#include "core/base/no_memory.h"

namespace blk_addon {

void Call::Run(std::unique_ptr<blk::IoTask> self, blk::IoWorker& worker) {
  // Owned again by Post(), as what it is, on this thread or on the one that finishes it.
  self.release();
  // Against TakeBack(): the exchange alone decides. What the call consists of reaches this thread through the queue,
  // and its outcome the other one through the completion.
  State expected = State::kQueued;
  if (state_.compare_exchange_strong(expected, State::kRunning, std::memory_order_acq_rel)) {
    if (StartIfMemory(worker)) return;
    if (!no_memory_) WorkIfMemory(worker);
    return Complete();
  }
  sink_.Post(std::unique_ptr<Call>(this));
}

bool Call::StartHere() {
  if (!StartsHere() || state_.load(std::memory_order_relaxed) != State::kQueued) return false;
  blk::IoWorker here(blk::kSharedLane);
  // Nobody else knows it yet.
  state_.store(State::kRunning, std::memory_order_relaxed);
  if (StartIfMemory(here)) return true;
  no_memory_ = false;
  state_.store(State::kQueued, std::memory_order_relaxed);
  return false;
}

void Call::Complete() {
  // The environment does not end while it is held: whoever ends it lets go of all.
  if (held_by_.empty() || !BeginStart()) return sink_.Post(std::unique_ptr<Call>(this));
  GoOn();
}

void Call::GoOn() {
  const auto go = [](void* owner) { static_cast<Call*>(owner)->GoOn(); };
  while (held_ < held_by_.size()) {
    blk::HoldTicket* const before = held_ > 0 ? held_by_[held_ - 1]->hold() : nullptr;
    blk::HoldTicket& ticket = *held_by_[held_++]->hold();
    // From here on it may be gone.
    if (ticket.Hold(cancel_hold_, go, this, before)) return;
  }
  Finished();
}

bool Call::StartIfMemory(blk::IoWorker& worker) {
  bool begun = false;
  const bool had_memory = blk::HadMemory([&] { begun = Start(worker); });
  // It may be gone already.
  if (begun) return true;
  no_memory_ = !had_memory;
  return false;
}

bool Call::BeginStart() {
  auto started = sink_.started().Enter();
  if (!started.ok()) return false;
  started_ = started.Take();
  return true;
}

void Call::Finished() {
  // Ends behind Post(), which is the last that needs the environment.
  blk::CallsInFlight::Call started = std::move(started_);
  sink_.Post(std::unique_ptr<Call>(this));
}

void Call::WorkIfMemory(blk::IoWorker& worker) {
  no_memory_ = !blk::HadMemory([&] { Work(worker); });
}

void Call::WorkHere() {
  state_.store(State::kRunning, std::memory_order_release);
  blk::IoWorker here(blk::kSharedLane);
  WorkIfMemory(here);
}

bool Call::TakeBack() {
  State expected = State::kQueued;
  // Against Run() on a worker: whoever moves the state first decides whether Work() happens.
  return state_.compare_exchange_strong(expected, State::kTakenBack, std::memory_order_acq_rel);
}

}  // namespace blk_addon
