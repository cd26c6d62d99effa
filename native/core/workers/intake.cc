#include "core/workers/intake.h"

#include <utility>

namespace blk {

Intake::Outcome Intake::Put(IntakeFlow& flow, std::unique_ptr<IntakeTask>& task, Place place) {
  // A task gets its memory even when it then waits behind others: what a write sends is copied at once, as long as
  // there is memory.
  Step step = MakeReady(*task);
  if (step == Step::kReady) {
    const bool behind = place == Place::kBehind && flow.waiting();
    step = behind ? Step::kWaits : Queue(flow, task);
  } else if (step == Step::kWaits) {
    task->Wait();
  }
  switch (step) {
    case Step::kReady: return Outcome::kTaken;
    case Step::kEnded: return Outcome::kEnded;
    case Step::kNoMemory: return Outcome::kNoMemory;
    case Step::kNoThreads: return Outcome::kNoThreads;
    case Step::kStopped: return Outcome::kStopped;
    case Step::kWaits: break;
  }
  (place == Place::kAhead ? flow.begun_ : flow.backlog_).PushBack(std::move(task));
  List(flow);
  return Outcome::kTaken;
}

Intake::Step Intake::MakeReady(IntakeTask& task) {
  if (task.ready_) return Step::kReady;
  const size_t needed = task.MemoryNeeded();
  AlignedBuffer memory;
  if (needed > 0) {
    // While another task waits for memory, this one waits behind it: small tasks that took what is given back would
    // keep a large one waiting for ever.
    if (!short_of_memory_) short_of_memory_ = memory_.Take(needed, &memory) == RequestMemory::Outcome::kFull;
    if (short_of_memory_) return Step::kWaits;
  }
  task.ready_ = task.Prepare(std::move(memory));
  return task.ready_ ? Step::kReady : Step::kEnded;
}

Intake::Step Intake::Queue(IntakeFlow& flow, std::unique_ptr<IntakeTask>& task) {
  if (task->StartHere()) return static_cast<void>(task.release()), Step::kReady;
  std::unique_ptr<IoTask> queued = std::move(task);
  const IoQueue::Outcome outcome = queue_.TryPut(flow.queued_, queued);
  // Put() queues nothing but IntakeTasks.
  task.reset(static_cast<IntakeTask*>(queued.release()));
  switch (outcome) {
    case IoQueue::Outcome::kQueued: return Step::kReady;
    case IoQueue::Outcome::kFull: return Step::kWaits;
    case IoQueue::Outcome::kNoMemory: return Step::kNoMemory;
    case IoQueue::Outcome::kNoThreads: return Step::kNoThreads;
    case IoQueue::Outcome::kStopped: break;
  }
  return Step::kStopped;
}

bool Intake::Serve(IntakeFlow& flow, IoTaskList& ended) {
  IoTaskList& line = flow.begun_.empty() ? flow.backlog_ : flow.begun_;
  std::unique_ptr<IntakeTask> task(static_cast<IntakeTask*>(line.PopFront().release()));
  Step step = MakeReady(*task);
  if (step == Step::kReady) step = Queue(flow, task);
  switch (step) {
    case Step::kReady: return true;
    case Step::kEnded:
    case Step::kStopped: ended.PushBack(std::move(task)); return true;
    // The task stays first in its line. Threads and memory may be had later: requests that end bring a Refill().
    case Step::kWaits:
    case Step::kNoMemory:
    case Step::kNoThreads: break;
  }
  line.PushFront(std::move(task));
  return false;
}

void Intake::Refill(IoTaskList& ended) {
  short_of_memory_ = false;
  for (bool served = true; served;) {
    served = false;
    // The flows that had a turn in this round and still have tasks; they come behind all others.
    IntakeFlow* again = nullptr;
    IntakeFlow** again_end = &again;
    for (IntakeFlow** link = &first_; *link != nullptr;) {
      IntakeFlow& flow = **link;
      if (!Serve(flow, ended)) {
        link = &flow.next_;
        continue;
      }
      served = true;
      *link = std::exchange(flow.next_, nullptr);
      flow.listed_ = flow.waiting();
      if (!flow.listed_) continue;
      *again_end = &flow;
      again_end = &flow.next_;
    }
    IntakeFlow** end = &first_;
    while (*end != nullptr) end = &(*end)->next_;
    *end = again;
  }
}

void Intake::TakeAll(IoTaskList& tasks) {
  while (first_ != nullptr) {
    IntakeFlow& flow = *first_;
    first_ = std::exchange(flow.next_, nullptr);
    flow.listed_ = false;
    tasks.TakeAll(flow.begun_);
    tasks.TakeAll(flow.backlog_);
  }
  short_of_memory_ = false;
}

void Intake::List(IntakeFlow& flow) {
  if (std::exchange(flow.listed_, true)) return;
  // Behind all others; found by a walk, since few flows wait.
  IntakeFlow** end = &first_;
  while (*end != nullptr) end = &(*end)->next_;
  *end = &flow;
}

}  // namespace blk
