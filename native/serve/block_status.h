// CollectStatuses: what block status tells of a range, context by context: extents, merged, and none beyond what was
// asked for.
#ifndef RUMPBLK_SERVE_BLOCK_STATUS_H_
#define RUMPBLK_SERVE_BLOCK_STATUS_H_

#include <atomic>
#include <vector>

#include "core/base/lane_lease.h"
#include "core/base/status.h"
#include "core/nbd/wire.h"
#include "serve/contexts.h"

namespace blk::serve {

class Export;

// Extents of one reply, at most, of all its contexts, each of which has one: half a MiB on the wire.
inline constexpr size_t kMostExtents = 65536;

struct ContextStatus {
  uint32_t id = 0;
  std::vector<nbd::StatusExtent> extents;
};

// Appends what the range of `request` is made of to `statuses`, for each of `contexts`: all of it, or what fits; one
// extent when that is asked for. Errors: those of Device::Extents() · EIO a bitmap is over, so that marks may be
// missing. REQUIRES: the range is not empty and lies in the device.
Status CollectStatuses(const Export& exported, const nbd::RequestHeader& request, const Contexts& contexts,
                       const std::atomic<bool>& cancel, Lane lane, std::vector<ContextStatus>* statuses);

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_BLOCK_STATUS_H_
