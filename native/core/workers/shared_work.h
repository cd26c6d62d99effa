// SharedWork: a loop that the thread which needs its outcome and idle workers of a queue run together, while that
// thread waits. For work on memory that only that thread may vouch for, and only as long as it does nothing else.
// Thread-safe; several loops may run at once.
#ifndef RUMPBLK_CORE_WORKERS_SHARED_WORK_H_
#define RUMPBLK_CORE_WORKERS_SHARED_WORK_H_

#include <cstddef>
#include <memory>

#include "core/base/lane_lease.h"
#include "core/workers/io_queue.h"

namespace blk {

class SharedWork {
 public:
  // Borrows workers of `queue`, which outlives every Run(); this object outlives the queue, whose tasks it holds.
  explicit SharedWork(IoQueue& queue) : queue_(queue) {}
  SharedWork(const SharedWork&) = delete;
  SharedWork& operator=(const SharedWork&) = delete;

  // Calls step(i, lane) for each i from 0 to count - 1, begun in that order, on this thread, with `lane`, and on up to
  // `helpers` workers, with theirs. After a step that has answered false those behind it are not begun any more; one or
  // some of them may have been. Returns when no step runs and none will. Workers that are busy do not help, and nobody
  // waits for them.   Thread: any.   REQUIRES: `step` may be called on any thread and waits for nothing.
  template <typename Step>
  void Run(size_t count, size_t helpers, Lane lane, Step&& step) {
    auto body = [&](size_t i, Lane on) { return step(i, on); };
    const auto call = [](void* owner, size_t i, Lane on) { return (*static_cast<decltype(body)*>(owner))(i, on); };
    RunLoop(count, helpers, lane, call, &body);
  }

 private:
  class Loop;
  class Help;
  using Call = bool (*)(void* owner, size_t i, Lane lane);

  void RunLoop(size_t count, size_t helpers, Lane lane, Call call, void* owner);

  IoQueue& queue_;
  IoFlow flow_;  // tasks that offer help; what they come too late for is nothing to them
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_SHARED_WORK_H_
