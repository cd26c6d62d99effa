// CallFlow: the calls of one device on their way to the workers, or those of a driver that concern no device. They wait
// in a flow of the driver's queue and, while that is full, behind it in a backlog: the JavaScript thread never waits
// for room. JavaScript thread only, but for what the queue does with the flow.
#ifndef RUMPBLK_ADDON_CALL_FLOW_H_
#define RUMPBLK_ADDON_CALL_FLOW_H_

#include "core/work/io_queue.h"

namespace blk_addon {

// Every call in it keeps the object that it is part of.
class CallFlow {
 public:
  // `queue`: the driver's own; outlives this.
  explicit CallFlow(blk::IoQueue& queue) : queue_(queue) {}
  CallFlow(const CallFlow&) = delete;
  CallFlow& operator=(const CallFlow&) = delete;

 private:
  friend class Completion;

  blk::IoQueue& queue_;
  blk::IoFlow flow_;
  // Oldest first. Not empty: this is on Completion's list of flows that have one.
  blk::IoTaskList backlog_;
  CallFlow* next_with_backlog_ = nullptr;  // of that list
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_CALL_FLOW_H_
