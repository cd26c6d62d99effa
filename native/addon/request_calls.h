// RequestCalls: reads, writes and bufs as plain functions (target, ...) of the exports, not as methods. The target is
// an external that stands for a device: finding the object behind it takes 4 ns, behind `this` of a method 100.
// JavaScript thread only.
#ifndef RUMPBLK_ADDON_REQUEST_CALLS_H_
#define RUMPBLK_ADDON_REQUEST_CALLS_H_

#include <memory>

#include "addon/device_state.h"
#include "addon/napi_setup.h"

namespace blk_addon {

// -> what the functions know the device by; it keeps the state alive, not the device open: calls after close() are
// EBADF.
napi_value MakeRequestTarget(napi_env env, const std::shared_ptr<DeviceState>& device);

// Sets the functions of lib/native/binding.ts that take a request target: reads, writes, bufs, discards, zeros and
// prefetches.
void DefineRequestCalls(napi_env env, napi_value exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_REQUEST_CALLS_H_
