// The calls about overlays: what makes one, methods of the native driver and of the native device that is the base; and
// its freeze points, methods of a device that is open on it, given the medium that it was opened from. They run on a
// worker, and give promises; but for the end of one that nobody has opened. JavaScript thread only.
#ifndef RUMPBLK_ADDON_OVERLAY_CALLS_H_
#define RUMPBLK_ADDON_OVERLAY_CALLS_H_

#include <memory>

#include "addon/args.h"
#include "addon/device_state.h"
#include "addon/env_state.h"
#include "core/medium/overlay.h"

namespace blk_addon {

// (name, size or -1, bytes of a block, folder of its file or empty: memory, source, format) -> [medium, size] in
// an object, or a failure: those of Source::MakeMedium() and blk::OverlayStore::Create().
napi_value OverlayOfSource(const Args& args, const std::shared_ptr<DriverState>& driver);
// The same over this device, without a source. The device may be closed afterwards. Failures: ENOTSUP its medium cannot
// be had twice.
napi_value OverlayOfDevice(const Args& args, const std::shared_ptr<DeviceState>& device);

// (medium) -> 0, or a failure: those of blk::Overlay::Reset().
napi_value OverlayReset(const Args& args, const std::shared_ptr<DeviceState>& device);
// (medium) -> a snapshot in an object, or a failure: those of blk::Overlay::Snapshot().
napi_value OverlaySnapshot(const Args& args, const std::shared_ptr<DeviceState>& device);
// (medium, snapshot of it) -> 0, or a failure: those of blk::Overlay::Revert().
napi_value OverlayRevert(const Args& args, const std::shared_ptr<DeviceState>& device);
// (medium, token) -> bytes, or a failure: those of blk::Overlay::Commit().
napi_value OverlayCommit(const Args& args, const std::shared_ptr<DeviceState>& device);
// (medium, source, safe, format, what an image is to call it) -> 0, or a failure: those of Source::MakeMedium() and
// blk::Overlay::Rebase().
napi_value OverlayRebase(const Args& args, const std::shared_ptr<DeviceState>& device);
// (medium, position, exact) -> where to go on, and what has changed, in an object; or a failure: those of
// blk::Overlay::Diff().
napi_value OverlayDiff(const Args& args, const std::shared_ptr<DeviceState>& device);

// What JavaScript gets of an overlay: its medium and its size. The medium is the user that whoever made it was, and
// weighs so many bytes.
Napi::Object OverlayObject(Napi::Env env, const std::shared_ptr<blk::Overlay>& overlay, int64_t weight);

// Adds overlayOpened and overlayRelease to the exports: (medium), which a device is open on: the overlay belongs to
// those that are; (medium), which is not used any more: of an overlay nothing stays here.
void DefineOverlayFunctions(Napi::Env env, Napi::Object exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_OVERLAY_CALLS_H_
