// FaultPlans: the fault plan of a driver that is in force, for all its devices. Thread-safe. Lock order: mu_ before
// that of a FaultRun.
#ifndef RUMPBLK_CORE_FILTER_FAULT_PLANS_H_
#define RUMPBLK_CORE_FILTER_FAULT_PLANS_H_

#include <functional>
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
  // -> the one that was in force before, which the caller ends.
  std::shared_ptr<FaultRun> Set(std::shared_ptr<FaultRun> run) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (run) {
      run->SetNumber(++count_);
      last_ = run;
    }
    return std::exchange(current_, std::move(run));
  }
  // The one that is, or was last, in force.
  std::shared_ptr<FaultRun> last() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return last_;
  }
  // `ring`, which takes no lock of core, is called when something is logged.
  void SetBell(std::function<void()> ring) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    ring_ = std::move(ring);
  }
  void Ring() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (ring_) ring_();
  }

 private:
  mutable Mutex mu_;
  std::shared_ptr<FaultRun> current_ GUARDED_BY(mu_);
  std::shared_ptr<FaultRun> last_ GUARDED_BY(mu_);
  uint64_t count_ GUARDED_BY(mu_) = 0;
  std::function<void()> ring_ GUARDED_BY(mu_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_PLANS_H_
