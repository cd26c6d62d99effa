// QueueThreads: the workers of an IoQueue as threads that may wait. What is given to them is called in any case: at the
// end of the queue by whoever stops it. Thread-safe.
#ifndef RUMPBLK_CORE_WORKERS_QUEUE_THREADS_H_
#define RUMPBLK_CORE_WORKERS_QUEUE_THREADS_H_

#include <memory>
#include <utility>

#include "core/base/no_memory.h"
#include "core/base/waiting_threads.h"
#include "core/workers/io_queue.h"

namespace blk {

class QueueThreads final : public WaitingThreads {
 public:
  // `queue` is used while Run() is; this object outlives the queue, whose tasks it holds.
  explicit QueueThreads(IoQueue& queue) : queue_(queue) {}
  QueueThreads(const QueueThreads&) = delete;
  QueueThreads& operator=(const QueueThreads&) = delete;

  bool Run(void (*work)(void* owner), void* owner) override {
    std::unique_ptr<IoTask> task;
    if (!HadMemory([&] { task = std::make_unique<Task>(work, owner); })) return false;
    if (queue_.TryPut(flow_, task) == IoQueue::Outcome::kQueued) return true;
    static_cast<Task&>(*task).Forget();
    return false;
  }

 private:
  class Task final : public IoTask {
   public:
    Task(void (*work)(void* owner), void* owner) : work_(work), owner_(owner) {}
    ~Task() override { Do(); }
    void Run(std::unique_ptr<IoTask>, IoWorker& worker) override {
      worker.WillBlock();
      Do();
    }
    void Forget() { work_ = nullptr; }

   private:
    void Do() {
      if (work_ != nullptr) std::exchange(work_, nullptr)(owner_);
    }

    void (*work_)(void* owner);
    void* const owner_;
  };

  IoQueue& queue_;
  IoFlow flow_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_QUEUE_THREADS_H_
