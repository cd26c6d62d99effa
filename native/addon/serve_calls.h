// The calls about servers: to begin one, to look at it and to close it. JavaScript thread only.
#ifndef RUMPBLK_ADDON_SERVE_CALLS_H_
#define RUMPBLK_ADDON_SERVE_CALLS_H_

#include "addon/napi_setup.h"

namespace blk_addon {

// Sets serve, serverInfo and serverClose of lib/native/binding.ts.
void DefineServeCalls(napi_env env, napi_value exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_SERVE_CALLS_H_
