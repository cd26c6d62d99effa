#include "addon/fault_bell.h"

#include <utility>

namespace blk_addon {

FaultBell::FaultBell(napi_env env, napi_value function) {
  napi_value name = nullptr;
  napi_create_string_utf8(env, "rumpblk faults", NAPI_AUTO_LENGTH, &name);
  blk::MutexLock lock(mu_);
  // Its queue is unbounded (0), and one thread counts as its user (1): this object, until End().
  napi_create_threadsafe_function(env, function, nullptr, name, 0, 1, nullptr, nullptr, nullptr, nullptr, &function_);
  // It keeps no process alive.
  napi_unref_threadsafe_function(env, function_);
}

void FaultBell::Ring() {
  blk::MutexLock lock(mu_);
  if (function_ == nullptr) return;
  // What finds the environment at its end has nobody to tell.
  static_cast<void>(napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking));
}

void FaultBell::End() {
  blk::MutexLock lock(mu_);
  if (function_ == nullptr) return;
  static_cast<void>(napi_release_threadsafe_function(std::exchange(function_, nullptr), napi_tsfn_release));
}

}  // namespace blk_addon
