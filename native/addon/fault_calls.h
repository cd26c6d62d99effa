// Fault plans of a driver, and the clocks that they may run on. JavaScript thread only.
#ifndef RUMPBLK_ADDON_FAULT_CALLS_H_
#define RUMPBLK_ADDON_FAULT_CALLS_H_

#include <memory>

#include "addon/args.h"
#include "addon/env_state.h"

namespace blk_addon {

// Methods of NativeDriver in lib/native/binding.ts.
napi_value SetPlan(const Args& args, const std::shared_ptr<DriverState>& state);
napi_value FaultLog(const Args& args, const std::shared_ptr<DriverState>& state);
napi_value ReleaseFaults(const Args& args, const std::shared_ptr<DriverState>& state);
napi_value AwaitFault(const Args& args, const std::shared_ptr<DriverState>& state);

// The functions on virtual clocks.
void DefineFaultFunctions(napi_env env, napi_value exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_FAULT_CALLS_H_
