// CollectStatus: the extents of a device as block status tells them: merged, and none beyond what was asked for.
#ifndef RUMPBLK_SERVE_BLOCK_STATUS_H_
#define RUMPBLK_SERVE_BLOCK_STATUS_H_

#include <atomic>
#include <vector>

#include "core/device/device.h"
#include "core/nbd/wire.h"

namespace blk::serve {

// Extents of one reply, at most: half a MiB on the wire.
inline constexpr size_t kMostExtents = 65536;

// Appends what the range of `request` is made of to `extents`: all of it, or what fits; one extent when that is asked
// for. Errors: those of Device::Extents().   REQUIRES: the range is not empty and lies in the device.
Status CollectStatus(Device& device, const nbd::RequestHeader& request, const std::atomic<bool>& cancel, Lane lane,
                     std::vector<nbd::StatusExtent>* extents);

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_BLOCK_STATUS_H_
