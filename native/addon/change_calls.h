// What JavaScript does with the changes that a device tracks. An external holds them, and ends the tracking when it is
// collected. JavaScript thread only.
#ifndef RUMPBLK_ADDON_CHANGE_CALLS_H_
#define RUMPBLK_ADDON_CHANGE_CALLS_H_

#include <memory>

#include "addon/napi_setup.h"
#include "core/device/tracked_changes.h"

namespace blk_addon {

// -> an external that owns them.
napi_value ToExternal(napi_env env, std::unique_ptr<blk::TrackedChanges> changes);

// Sets changeBytes, changeRuns, takeChanges, clearChanges, mergeChanges and endChanges of lib/native/binding.ts in
// exports.
void DefineChangeFunctions(napi_env env, napi_value exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_CHANGE_CALLS_H_
