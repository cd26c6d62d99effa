// IoWorker: a worker of an IoQueue as the task that it runs sees it. Valid while the task runs, on its thread.
#ifndef RUMPBLK_CORE_WORKERS_IO_WORKER_H_
#define RUMPBLK_CORE_WORKERS_IO_WORKER_H_

#include <chrono>
#include <optional>

#include "core/base/lane_lease.h"
#include "core/workers/worker_pool.h"

namespace blk {

class IoWorker {
 public:
  // What a worker tells its queue, and asks it.   Thread: the worker's.
  class Queue {
   public:
    // The worker's task is about to wait.
    virtual void Block(WorkerPool::Worker& worker) = 0;
    // Whether a task that may wait is taken for one that will.
    virtual bool AssumesBlocking() const = 0;

   protected:
    ~Queue() = default;
  };

  // For a task that is run by the very thread that would have queued it: nobody waits behind it.
  explicit IoWorker(Lane lane) : lane_(lane) {}
  IoWorker(const IoWorker&) = delete;
  IoWorker& operator=(const IoWorker&) = delete;

  Lane lane() const { return lane_; }
  // Says that this task is about to wait, for a disk or a lock: what is queued behind it gets another worker. Once is
  // enough.
  void WillBlock();
  // Says that this task may wait: the same as WillBlock() when tasks that said so have lately taken long
  // (BlockingEstimate). How long this one takes, from here on, is what the next ones are judged by.
  void MayBlock();

 private:
  friend class IoQueue;

  IoWorker(Queue& queue, WorkerPool::Worker& worker, Lane lane) : queue_(&queue), worker_(&worker), lane_(lane) {}

  // Null where there is no queue.
  Queue* const queue_ = nullptr;
  WorkerPool::Worker* const worker_ = nullptr;
  const Lane lane_;
  bool blocked_ = false;
  std::optional<std::chrono::steady_clock::time_point> may_block_since_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_IO_WORKER_H_
