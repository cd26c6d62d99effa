// Intake: how requests come into a driver's queue, with the memory that they run on. A request that finds no memory
// or no room waits in the backlog of its device, behind the others there; devices take turns, so that a device with
// thousands of requests holds up another one's next request by one of its own.
// Not thread-safe: used by the one thread that submits, which calls Refill() when requests have ended.
#ifndef RUMPBLK_CORE_WORKERS_INTAKE_H_
#define RUMPBLK_CORE_WORKERS_INTAKE_H_

#include <cstddef>
#include <memory>

#include "core/workers/io_queue.h"
#include "core/workers/request_memory.h"

namespace blk {

// A task that may need memory before it is queued, which the task gives back itself.
class IntakeTask : public IoTask {
 public:
  // Bytes that Prepare() is to be given; 0: none. Asked each time that it is the task's turn.
  virtual size_t MemoryNeeded() const { return 0; }
  // Told that there is no memory for the task yet. Called at most once, inside Put().
  virtual void Wait() {}
  // Begins what ends on another thread than a worker, where it is of that kind. -> true: it owns itself from here on,
  // and is not queued. Behind Prepare(), on the thread that submits.
  virtual bool StartHere() { return false; }
  // Gets ready to run; `memory` is null when none is needed, or when the host has none. -> false when there is nothing
  // to run any more: the task has told whoever waits for it, and is destroyed. Once.
  virtual bool Prepare(AlignedBuffer memory) {
    static_cast<void>(memory);
    return true;
  }

 private:
  friend class Intake;

  bool ready_ = false;
};

// The requests of one device on their way, or those of a driver that concern no device. A member of the object that
// puts the tasks in; each task keeps that object, so the flow outlives them.
class IntakeFlow {
 public:
  IntakeFlow() = default;
  IntakeFlow(const IntakeFlow&) = delete;
  IntakeFlow& operator=(const IntakeFlow&) = delete;

 private:
  friend class Intake;

  bool waiting() const { return !begun_.empty() || !backlog_.empty(); }

  IoFlow queued_;
  // IntakeTasks, oldest first: those of requests that have begun, which come before the others.
  IoTaskList begun_;
  IoTaskList backlog_;
  IntakeFlow* next_ = nullptr;  // of Intake's list, when it is in that
  bool listed_ = false;
};

class Intake {
 public:
  // Both outlive it.
  Intake(IoQueue& queue, RequestMemory& memory) : queue_(queue), memory_(memory) {}
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // What became of a task. kTaken: queued, or it waits. kEnded: its Prepare() said so. The others are the queue's. In
  // all cases but kTaken the task is still the caller's.
  enum class Outcome : uint8_t { kTaken, kEnded, kNoMemory, kNoThreads, kStopped };
  // kAhead: before those that wait in its flow, for what goes on with a request that has begun; it takes its turn among
  // the flows all the same.
  enum class Place : uint8_t { kBehind, kAhead };

  Outcome Put(IntakeFlow& flow, std::unique_ptr<IntakeTask>& task, Place place = Place::kBehind);

  // Queues the tasks that wait, each flow in turn, as far as there are memory and room. A task that its Prepare() has
  // ended, and every task when the queue has stopped, goes to `ended`, for the caller to destroy: it may be the last
  // that keeps this object.
  void Refill(IoTaskList& ended);
  // Moves all that wait to `tasks`, for the end.
  void TakeAll(IoTaskList& tasks);

  // Whether some task waits, for anything, and whether one waits for memory.
  bool waiting() const { return first_ != nullptr; }
  bool short_of_memory() const { return short_of_memory_; }

 private:
  // kReady: it has its memory, or is queued. kWaits: for memory or room.
  enum class Step : uint8_t { kReady, kEnded, kWaits, kNoMemory, kNoThreads, kStopped };

  // Gives the task its memory, once.
  Step MakeReady(IntakeTask& task);
  // Queues it, or leaves it where it is.
  Step Queue(IntakeFlow& flow, std::unique_ptr<IntakeTask>& task);
  // Gives the flow's oldest task its turn. -> whether it has left the backlog. What has ended goes to `ended`.
  bool Serve(IntakeFlow& flow, IoTaskList& ended);
  void List(IntakeFlow& flow);

  IoQueue& queue_;
  RequestMemory& memory_;
  // Flows that have a backlog, in the order of their turns.
  IntakeFlow* first_ = nullptr;
  // The task whose turn it is waits for memory: no other task takes any before it.
  bool short_of_memory_ = false;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_INTAKE_H_
