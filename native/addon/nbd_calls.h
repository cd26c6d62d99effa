// Calls of rumpblk/nbd that make a medium of an export, and look at one. JavaScript thread only.
#ifndef RUMPBLK_ADDON_NBD_CALLS_H_
#define RUMPBLK_ADDON_NBD_CALLS_H_

#include "addon/napi_setup.h"

namespace blk_addon {

// Sets nbdEvents, nbdMedium and nbdState of lib/native/binding.ts in exports.
void DefineNbdFunctions(Napi::Env env, Napi::Object exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_NBD_CALLS_H_
