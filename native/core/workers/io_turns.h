// IoTurns: the order in which an IoQueue takes its tasks. Tasks wait in flows, one for each device; every flow that has
// some gives one in turn, its oldest. So a device with thousands of requests holds up another one's next request by one
// of its own, not by all of them. A turn is one task, however many bytes it moves.
// Not thread-safe: the queue's lock guards flows and turns alike.
#ifndef RUMPBLK_CORE_WORKERS_IO_TURNS_H_
#define RUMPBLK_CORE_WORKERS_IO_TURNS_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/no_memory.h"
#include "core/workers/io_task.h"

namespace blk {

// What one device has waiting: a ring that grows. A member of the object that puts the tasks in; each task keeps that
// object, so the flow outlives them. Used through one IoQueue only.
// A ring of pointers and no list: the tasks themselves, which another processor has just written, are not touched under
// the queue's lock. For the same reason a flow has cache lines of its own.
class alignas(64) IoFlow {
 public:
  IoFlow() = default;
  IoFlow(const IoFlow&) = delete;
  IoFlow& operator=(const IoFlow&) = delete;

 private:
  friend class IoTurns;

  std::vector<std::unique_ptr<IoTask>> ring_;  // its size is a power of two, or 0
  size_t head_ = 0;                            // index of the task to be taken next
  size_t used_ = 0;
  IoFlow* next_ = nullptr;  // the flow whose turn comes after this one's; null while no task waits
};

class IoTurns {
 public:
  IoTurns() = default;
  IoTurns(const IoTurns&) = delete;
  IoTurns& operator=(const IoTurns&) = delete;

  bool empty() const { return last_ == nullptr; }
  // Tasks of `flow` that wait.
  static size_t Waiting(const IoFlow& flow) { return flow.used_; }

  // A flow that had nothing waiting comes behind all others. -> false without memory for it: the task stays where it
  // is.
  bool Put(IoFlow& flow, std::unique_ptr<IoTask>& task) {
    if (flow.used_ == flow.ring_.size() && !HadMemory([&] { Grow(flow); })) return false;
    flow.ring_[(flow.head_ + flow.used_++) & (flow.ring_.size() - 1)] = std::move(task);
    if (flow.next_ != nullptr) return true;
    flow.next_ = last_ == nullptr ? &flow : std::exchange(last_->next_, &flow);
    last_ = &flow;
    return true;
  }
  // The task whose turn it is. REQUIRES: not empty.
  std::unique_ptr<IoTask> Take() {
    IoFlow& flow = *last_->next_;
    std::unique_ptr<IoTask> task = std::move(flow.ring_[flow.head_]);
    flow.head_ = (flow.head_ + 1) & (flow.ring_.size() - 1);
    if (--flow.used_ == 0) {
      Remove(flow);
    } else {
      last_ = &flow;
    }
    return task;
  }
  // Moves all of them to `tasks`, in the order of their turns.
  void TakeAll(IoTaskList& tasks) {
    while (!empty()) tasks.PushBack(Take());
  }

 private:
  static constexpr size_t kFirstRing = 8;  // a cache line of pointers

  static void Grow(IoFlow& flow) {
    std::vector<std::unique_ptr<IoTask>> larger(std::max(kFirstRing, 2 * flow.ring_.size()));
    for (size_t i = 0; i < flow.used_; i++) {
      larger[i] = std::move(flow.ring_[(flow.head_ + i) & (flow.ring_.size() - 1)]);
    }
    flow.ring_ = std::move(larger);
    flow.head_ = 0;
  }
  // REQUIRES: it is its turn.
  void Remove(IoFlow& flow) {
    IoFlow* const after = std::exchange(flow.next_, nullptr);
    if (last_ == &flow) {
      last_ = nullptr;
    } else {
      last_->next_ = after;
    }
  }

  // The flows that have tasks form a circle: behind the last one comes the flow whose turn it is. Null: no task waits.
  IoFlow* last_ = nullptr;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_IO_TURNS_H_
