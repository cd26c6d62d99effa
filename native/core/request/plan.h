// PlanRequest: decides what of a request will run, before any of it does: the cut of physio(9) and the bounds of the
// device taken together. No state.   Model: the bounds of rumpblk.c r1.31 lines 590-614, in device coordinates (B2).
#ifndef RUMPBLK_CORE_REQUEST_PLAN_H_
#define RUMPBLK_CORE_REQUEST_PLAN_H_

#include "core/request/device_range.h"
#include "core/request/request.h"

namespace blk {

// Makes request.plan, where it is kept: a copy of it right behind its making waits for its stores, a fifth of a whole
// request. Refused is what the open or the device does not allow, and the rest is cut at the end of the device; of no
// bytes nothing is refused.   REQUIRES: the plan is as Request makes it.
// Errors, in plan.stop: those of DeviceRange::Allows() · EINVAL misplaced, whatever its length.
inline void PlanRequest(Request& request, const DeviceRange& range) {
  if (request.misplaced()) return request.plan.StopAt(0, {{EINVAL, Op::kStrategy}});
  if (request.length == 0) return;
  const auto position = static_cast<uint64_t>(request.position);
  const Status allowed = range.Allows(request.operation, position);
  if (!allowed.ok()) return request.plan.StopAt(0, {allowed});
  request.plan.reach = range.ReachOf(position, request.length);
}

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_PLAN_H_
