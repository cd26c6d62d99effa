// StartedBatch: a batch on a medium that answers later, group by group, each with the sync behind it, without a thread
// that waits. Used by one thread at a time; a member of the object that runs the batch.
#ifndef RUMPBLK_CORE_DEVICE_STARTED_BATCH_H_
#define RUMPBLK_CORE_DEVICE_STARTED_BATCH_H_

#include <atomic>
#include <cstdint>

#include "core/device/device.h"
#include "core/request/batch.h"
#include "core/request/started_group.h"
#include "core/request/started_request.h"
#include "core/request/started_turn.h"

namespace blk {

class StartedBatch {
 public:
  // Finds the memory for all of it. Throws std::bad_alloc.   REQUIRES: what is given outlives this object, and
  // run.IsAllStarted().
  StartedBatch(Device& device, BatchRun& run, const std::atomic<bool>* cancel)
      : device_(device), run_(run), group_(run, cancel) {}
  StartedBatch(const StartedBatch&) = delete;
  StartedBatch& operator=(const StartedBatch&) = delete;

  // Begins what is left of the batch, as BatchRun::Run() would run it. `done(owner)` is called once, when it is over,
  // by any thread, perhaps before this returns; *this may be gone then.   REQUIRES: called once.
  void Start(void (*done)(void* owner), void* owner);

 private:
  // Starts groups and syncs for as long as each ends while it is started. *this may be gone when it returns.
  void GoOn();
  // Takes in what was under way, a group or a sync.
  void TakeIn();
  static void OnEnded(void* self);

  Device& device_;
  BatchRun& run_;
  StartedGroup group_;
  Device::AdmittedFlush flush_;
  StartedRequest sync_;
  bool syncing_ = false;  // what is under way, or next: the sync of a group
  StartedTurn turn_;
  void (*done_)(void* owner) = nullptr;
  void* owner_ = nullptr;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_STARTED_BATCH_H_
