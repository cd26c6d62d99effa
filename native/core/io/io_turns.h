// IoTurns: the order in which an IoQueue takes its tasks. Tasks wait in flows, one for each device; every flow that has
// some gives one in turn, its oldest. So a device with thousands of requests holds up another one's next request by one
// of its own, not by all of them. A turn is one task, however many bytes it moves.
// Not thread-safe: the queue's lock guards flows and turns alike.
#ifndef RUMPBLK_CORE_IO_IO_TURNS_H_
#define RUMPBLK_CORE_IO_IO_TURNS_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "core/io/io_task.h"

namespace blk {

// What one device has waiting. Part of whoever puts tasks in; used through an IoQueue, and that one only. Outlives the
// tasks in it, which therefore keep its owner.
class IoFlow {
 public:
  IoFlow() = default;
  IoFlow(const IoFlow&) = delete;
  IoFlow& operator=(const IoFlow&) = delete;

 private:
  friend class IoTurns;

  IoTaskList tasks_;
  IoFlow* next_ = nullptr;  // the one whose turn comes after its own; null while no task waits
};

class IoTurns {
 public:
  IoTurns() = default;
  IoTurns(const IoTurns&) = delete;
  IoTurns& operator=(const IoTurns&) = delete;

  bool empty() const { return last_ == nullptr; }
  // Tasks of `flow` that wait.
  static size_t Waiting(const IoFlow& flow) { return flow.tasks_.size(); }

  // A flow that had nothing waiting comes behind all others.
  void Put(IoFlow& flow, std::unique_ptr<IoTask> task) {
    flow.tasks_.PushBack(std::move(task));
    if (flow.next_ != nullptr) return;
    flow.next_ = last_ == nullptr ? &flow : std::exchange(last_->next_, &flow);
    last_ = &flow;
  }
  // The task whose turn it is. REQUIRES: not empty.
  std::unique_ptr<IoTask> Take() {
    IoFlow& flow = *last_->next_;
    std::unique_ptr<IoTask> task = flow.tasks_.PopFront();
    if (flow.tasks_.empty()) {
      Remove(flow);
    } else {
      last_ = &flow;
    }
    return task;
  }
  // Moves all of them to `tasks`, flow by flow.
  void TakeAll(IoTaskList& tasks) {
    while (!empty()) {
      IoFlow& flow = *last_->next_;
      tasks.TakeAll(flow.tasks_);
      Remove(flow);
    }
  }

 private:
  // REQUIRES: it is its turn.
  void Remove(IoFlow& flow) {
    IoFlow* const after = std::exchange(flow.next_, nullptr);
    if (last_ == &flow) {
      last_ = nullptr;
    } else {
      last_->next_ = after;
    }
  }

  // A circle: behind the last one comes the one whose turn it is. Null: no task waits.
  IoFlow* last_ = nullptr;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IO_IO_TURNS_H_
