#include "addon/call.h"

#include "addon/completion.h"
#include "core/base/no_memory.h"

namespace blk_addon {

void Call::Run(std::unique_ptr<blk::IoTask> self, blk::IoWorker& worker) {
  // Against TakeBack(): the exchange alone decides. What the call consists of reaches this thread through the queue,
  // and its outcome the other one through the completion.
  State expected = State::kQueued;
  if (state_.compare_exchange_strong(expected, State::kRunning, std::memory_order_acq_rel)) WorkIfMemory(worker);
  self.release();  // owned again one line below, as what it is
  completion_.Post(std::unique_ptr<Call>(this));
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
