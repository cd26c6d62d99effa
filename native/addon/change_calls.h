// What JavaScript does with the changes that a device tracks. An external holds them, and when nothing does any more,
// no server either, the tracking ends of those that no image keeps. JavaScript thread only, which waits for the disk
// where bitmaps of an image are opened, listed or removed.
#ifndef RUMPBLK_ADDON_CHANGE_CALLS_H_
#define RUMPBLK_ADDON_CHANGE_CALLS_H_

#include <memory>

#include "addon/args.h"
#include "addon/device_state.h"
#include "addon/napi_setup.h"
#include "core/device/tracked_changes.h"

namespace blk_addon {

// Methods of a device, as lib/native/binding.ts has them. An external owns the changes.
napi_value Track(const Args& args, const std::shared_ptr<DeviceState>& device);
napi_value Keep(const Args& args, const std::shared_ptr<DeviceState>& device);
napi_value Bitmaps(const Args& args, const std::shared_ptr<DeviceState>& device);
napi_value RemoveBitmap(const Args& args, const std::shared_ptr<DeviceState>& device);

// Of an external.
std::shared_ptr<blk::TrackedChanges> ChangesOf(napi_env env, napi_value external);

// Sets changeBytes, changeRuns, takeChanges, changesConsistent, clearChanges, mergeChanges, changesOf and endChanges of
// lib/native/binding.ts in exports.
void DefineChangeFunctions(napi_env env, napi_value exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_CHANGE_CALLS_H_
