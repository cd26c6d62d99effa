// DriverWrap: a core Driver as the class Driver of lib/native/binding.ts. Marshals arguments and outcomes and nothing
// else. JavaScript thread only.
#ifndef RUMPBLK_ADDON_DRIVER_WRAP_H_
#define RUMPBLK_ADDON_DRIVER_WRAP_H_

#include <memory>

#include "addon/env_state.h"
#include "addon/napi_setup.h"

namespace blk_addon {

class DriverWrap final : public Napi::ObjectWrap<DriverWrap> {
 public:
  // The class, which lib makes drivers of.
  static Napi::Function Define(Napi::Env env);

  // (minorCount, windowSize, windowCount, queueDepth, workers), as lib/options.ts has checked them; windowSize as
  // WINDOW_SIZE of lib/native/binding.ts codes it. No thread starts before the first queued call.
  explicit DriverWrap(const Napi::CallbackInfo& info);

  const std::shared_ptr<DriverState>& state() const { return state_; }

 private:
  std::shared_ptr<DriverState> state_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_DRIVER_WRAP_H_
