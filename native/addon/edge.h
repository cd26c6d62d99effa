// The edge between native code and JavaScript, where no memory becomes ENOMEM (core/base/no_memory.h): an exception
// must not run into the runtime's own frames. JavaScript thread only.
#ifndef RUMPBLK_ADDON_EDGE_H_
#define RUMPBLK_ADDON_EDGE_H_

#include "addon/outcome.h"
#include "core/base/no_memory.h"

namespace blk_addon {

// -> what `body()` gives, or ENOMEM as a failure.
template <typename Body>
napi_value OrNoMemory(napi_env env, Body&& body) {
  napi_value value = nullptr;
  if (blk::HadMemory([&] { value = body(); })) return value;
  return ToFailure(env, {ENOMEM, blk::Op::kStrategy});
}

// A callback of ours as one of the runtime's.
template <napi_value (*callback)(napi_env, napi_callback_info)>
napi_value Edge(napi_env env, napi_callback_info info) {
  return OrNoMemory(env, [&] { return callback(env, info); });
}

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_EDGE_H_
