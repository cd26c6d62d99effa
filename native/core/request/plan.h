// PlanRequest: decides what of a request will run, before any of it does: the cut of physio(9) and the bounds of the
// device taken together. No state.   Model: the bounds of rumpblk.c r1.31 lines 590-614, in device coordinates (B2).
#ifndef RUMPBLK_CORE_REQUEST_PLAN_H_
#define RUMPBLK_CORE_REQUEST_PLAN_H_

#include "core/request/device_range.h"
#include "core/request/request.h"

namespace blk {

// The plan of `length` bytes, not 0, from `position` on, which is a negative one's as an unsigned number, on a device
// with this range: refused is what the open or the device does not allow, and the rest is cut at the end of the device.
// Errors, in its stop: those of DeviceRange::Allows().
inline Plan PlanBytes(Operation operation, uint64_t position, size_t length, const DeviceRange& range) {
  Plan plan;
  const Status allowed = range.Allows(operation, position);
  if (allowed.ok()) {
    plan.reach = range.ReachOf(position, length);
  } else {
    plan.StopAt(0, {allowed});
  }
  return plan;
}

// Makes request.plan. Of no bytes nothing is refused.
// Errors, in plan.stop: those of PlanBytes() · EINVAL misplaced, whatever its length.
inline void PlanRequest(Request& request, const DeviceRange& range) {
  if (request.misplaced()) return request.plan.StopAt(0, {{EINVAL, Op::kStrategy}});
  if (request.length == 0) return;
  request.plan = PlanBytes(request.operation, static_cast<uint64_t>(request.position), request.length, range);
}

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_PLAN_H_
