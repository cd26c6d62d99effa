// FaultPlans: the fault plan of a driver that is in force, for all its devices. Thread-safe. Lock order: mu_ before
// that of a FaultRun.
#ifndef RUMPBLK_CORE_FILTER_FAULT_PLANS_H_
#define RUMPBLK_CORE_FILTER_FAULT_PLANS_H_

#include <memory>
#include <utility>

#include "core/base/sync.h"
#include "core/filter/fault_run.h"

namespace blk {

class FaultPlans {
 public:
  // Null: none is in force.
  std::shared_ptr<FaultRun> current() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return current_;
  }
  void Set(std::shared_ptr<FaultRun> run) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (run) run->SetNumber(++count_);
    current_ = std::move(run);
  }

 private:
  mutable Mutex mu_;
  std::shared_ptr<FaultRun> current_ GUARDED_BY(mu_);
  uint64_t count_ GUARDED_BY(mu_) = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_PLANS_H_
