// What JavaScript does with traces and with the latencies that devices measure. An external holds a trace, and when it
// is collected the trace ends. JavaScript thread only; nothing here waits.
#ifndef RUMPBLK_ADDON_TRACE_CALLS_H_
#define RUMPBLK_ADDON_TRACE_CALLS_H_

#include <memory>

#include "addon/args.h"
#include "addon/device_state.h"
#include "addon/napi_setup.h"

namespace blk_addon {

// A method of a device, as lib/native/binding.ts has it.
napi_value Latencies(const Args& args, const std::shared_ptr<DeviceState>& device);

// Sets startTrace, readTrace, freeTrace, traceState, traceNow, awaitTrace and endTrace of lib/native/binding.ts in
// exports.
void DefineTraceFunctions(napi_env env, napi_value exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_TRACE_CALLS_H_
