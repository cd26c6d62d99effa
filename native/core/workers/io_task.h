// IoTask: one piece of work for an I/O worker. IoTaskList: tasks in a row, owned, without memory of its own.
// Not thread-safe: a task belongs to one list, one thread or one worker at a time.
#ifndef RUMPBLK_CORE_WORKERS_IO_TASK_H_
#define RUMPBLK_CORE_WORKERS_IO_TASK_H_

#include <cstddef>
#include <memory>
#include <utility>

namespace blk {

class IoWorker;

// Owned by the queue until it runs, then by itself; destroyed by IoQueue::Stop() when it never will.
class IoTask {
 public:
  virtual ~IoTask() = default;
  // Runs on `worker`. Hands `self` on to whoever waits for the outcome, or lets it go.
  virtual void Run(std::unique_ptr<IoTask> self, IoWorker& worker) = 0;

 private:
  friend class IoTaskList;

  IoTask* next_ = nullptr;  // the list's that it is in
};

// First in, first out. Adding a task needs no memory, so it cannot fail.
class IoTaskList {
 public:
  IoTaskList() = default;
  // Destroys the tasks, oldest first.
  ~IoTaskList() {
    while (!empty()) PopFront();
  }
  IoTaskList(const IoTaskList&) = delete;
  IoTaskList& operator=(const IoTaskList&) = delete;

  bool empty() const { return first_ == nullptr; }
  // In tasks.
  size_t size() const { return size_; }

  // REQUIRES: task is not null.
  void PushBack(std::unique_ptr<IoTask> task) {
    IoTask* const added = task.release();
    (empty() ? first_ : last_->next_) = added;
    last_ = added;
    size_++;
  }
  // As if it had been there before all others. REQUIRES: task is not null.
  void PushFront(std::unique_ptr<IoTask> task) {
    if (empty()) last_ = task.get();
    task->next_ = std::exchange(first_, task.get());
    task.release();
    size_++;
  }
  // REQUIRES: not empty.
  std::unique_ptr<IoTask> PopFront() {
    std::unique_ptr<IoTask> task(first_);
    first_ = std::exchange(task->next_, nullptr);
    size_--;
    return task;
  }
  // Moves all of `others` behind those that are here, and leaves it empty.
  void TakeAll(IoTaskList& others) {
    if (others.empty()) return;
    (empty() ? first_ : last_->next_) = std::exchange(others.first_, nullptr);
    last_ = others.last_;
    size_ += std::exchange(others.size_, 0);
  }

 private:
  IoTask* first_ = nullptr;
  IoTask* last_ = nullptr;  // valid when there is a first one
  size_t size_ = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_IO_TASK_H_
