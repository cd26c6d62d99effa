// PlanRequest: decides what of a request will run, before any of it does: the cut of physio(9) and the bounds of the
// device taken together. No state.   Model: the bounds of rumpblk.c r1.31 lines 590-614, in device coordinates (B2).
#ifndef RUMPBLK_CORE_REQUEST_PLAN_H_
#define RUMPBLK_CORE_REQUEST_PLAN_H_

#include "core/request/device_range.h"
#include "core/request/request.h"

namespace blk {

// Makes request.plan for a device with this range: refuses what the open or the device does not allow, and cuts the
// rest at the end of the device. Of no bytes nothing is refused.
// Errors, in plan.stop: those of DeviceRange::Allows() · EINVAL misplaced, whatever its length.
inline void PlanRequest(Request& request, const DeviceRange& range) {
  if (request.misplaced()) return request.plan.StopAt(0, {{EINVAL, Op::kStrategy}});
  if (request.length == 0) return;
  const uint64_t position = static_cast<uint64_t>(request.position);
  const Status allowed = range.Allows(request.operation, position);
  if (!allowed.ok()) return request.plan.StopAt(0, {allowed});
  request.plan.reach = range.ReachOf(position, request.length);
}

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_PLAN_H_
