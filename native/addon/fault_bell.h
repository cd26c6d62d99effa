// FaultBell: tells the JavaScript thread that something was injected. Thread-safe. Lock order: mu_ is a leaf.
#ifndef RUMPBLK_ADDON_FAULT_BELL_H_
#define RUMPBLK_ADDON_FAULT_BELL_H_

#include "addon/napi_setup.h"
#include "core/base/sync.h"

namespace blk_addon {

class FaultBell {
 public:
  // `function` is called without arguments, at some time after one or more rings.   JavaScript thread.
  FaultBell(napi_env env, napi_value function);
  ~FaultBell() { End(); }
  FaultBell(const FaultBell&) = delete;
  FaultBell& operator=(const FaultBell&) = delete;

  void Ring() EXCLUDES(mu_);
  // From here on nobody is told. Idempotent. Called for all at the end of the environment, which frees the thread-safe
  // function, whoever has a bell still: a driver is finalised behind that.
  void End() EXCLUDES(mu_);

 private:
  blk::Mutex mu_;
  napi_threadsafe_function function_ GUARDED_BY(mu_) = nullptr;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_FAULT_BELL_H_
