// PlanTransfer: decides what of a request will run, before any of it does: the cut of physio(9) and the bounds of the
// device taken together. No state.   Model: the bounds of rumpblk.c r1.31 lines 590-614, in device coordinates (B2).
#ifndef RUMPBLK_CORE_REQUEST_PLAN_H_
#define RUMPBLK_CORE_REQUEST_PLAN_H_

#include "core/request/device_range.h"
#include "core/request/transfer.h"

namespace blk {

// Makes transfer.plan for a device with this range: refuses what the open or the device does not allow, and cuts the
// rest at the end of the device. Of no bytes nothing is refused.
// Errors, in plan.stop: those of DeviceRange::Allows() · EINVAL misplaced, whatever its length.
inline void PlanTransfer(Transfer& transfer, const DeviceRange& range) {
  if (transfer.misplaced()) return transfer.plan.StopAt(0, {{EINVAL, Op::kStrategy}});
  if (transfer.length == 0) return;
  const uint64_t position = static_cast<uint64_t>(transfer.position);
  const Status allowed = range.Allows(transfer.op, position);
  if (!allowed.ok()) return transfer.plan.StopAt(0, {allowed});
  transfer.plan.reach = range.ReachOf(position, transfer.length);
}

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_PLAN_H_
