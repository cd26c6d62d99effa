// DeviceRange: which bytes of the medium one open may touch, and where it counts. Plain data, of which each strategy
// has a copy.
#ifndef RUMPBLK_CORE_REQUEST_DEVICE_RANGE_H_
#define RUMPBLK_CORE_REQUEST_DEVICE_RANGE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/base/counters.h"
#include "core/base/status.h"
#include "core/base/units.h"
#include "core/request/flush_state.h"
#include "core/request/piece.h"

namespace blk {

// What it points to outlives the open.
struct DeviceRange {
  uint64_t size = 0;   // bytes of the device
  MediumOffset begin;  // where it starts in the medium
  bool writable = false;
  Counters* counters = nullptr;
  FlushState* flush = nullptr;

  // Whether a request may begin at `position`, which is a negative one's as an unsigned number. Errors: EACCES a change
  // on an 'r' open, wherever it points (B15) · EINVAL before the start or beyond the end (B4, B5); at the end is fine.
  Status Allows(Operation op, uint64_t position) const {
    if (Mutates(op) && !writable) return {EACCES, Op::kStrategy};
    return position > size ? Status{EINVAL, Op::kStrategy} : Status::Ok();
  }
  // Bytes of it that lie in the device; cut here and not in the request, so that its residual counts from what was
  // asked (B39).   REQUIRES: Allows().
  size_t ReachOf(uint64_t position, size_t length) const {
    return static_cast<size_t>(std::min<uint64_t>(length, size - position));
  }
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_DEVICE_RANGE_H_
