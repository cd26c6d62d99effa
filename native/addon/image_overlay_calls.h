// The calls about overlays whose changes lie in a qcow2 image: what makes one, methods of the native driver and of the
// native device that is the base; and what an image says of its base. All of them run on a worker, and give promises.
// JavaScript thread only.
#ifndef RUMPBLK_ADDON_IMAGE_OVERLAY_CALLS_H_
#define RUMPBLK_ADDON_IMAGE_OVERLAY_CALLS_H_

#include <memory>

#include "addon/args.h"
#include "addon/device_state.h"
#include "addon/env_state.h"

namespace blk_addon {

// (name, size or -1, path of the image, bits of a cluster or 0: there is an image, whether entries are extended, what
// the image is to call the base, or calls it if that is an export, source, format) -> [medium, size] in an object; a
// failure of the image: those of blk::CreateQcow2() and blk::Qcow2Overlay::Open(); or one of the base, in an object:
// those of Source::MakeMedium(), ENOTSUP it has no name. To make an image takes an empty file.
napi_value ImageOverlayOfSource(const Args& args, const std::shared_ptr<DriverState>& driver);
// The same over this device, without a source. It may be closed afterwards; ENOTSUP it is a part of something.
napi_value ImageOverlayOfDevice(const Args& args, const std::shared_ptr<DeviceState>& device);

// (path) -> what the image there says of the disk and of its base, in an object; a failure: those of
// blk::ReadQcow2Header().
napi_value OverlayImageInfo(const Args& args, const std::shared_ptr<DriverState>& driver);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_IMAGE_OVERLAY_CALLS_H_
