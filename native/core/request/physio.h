// Physio: turns a byte range into bufs and runs them through a Strategy, one after the other, until one fails or the
// device ends. A raw transfer is cut into bufs of at most kMaxPhys bytes; any other is one buf: its Plan says so before
// the first one runs. A long one may be run in parts, each on memory of its own; a buf that does not fit a part is then
// cut, and is one buf still to who counts.
// No state.
// Model: physio(9) as rumpblk.c r1.31 lines 543-568 uses it; residual and error follow the first buf that fell short.
#ifndef RUMPBLK_CORE_REQUEST_PHYSIO_H_
#define RUMPBLK_CORE_REQUEST_PHYSIO_H_

#include <cstddef>
#include <cstdint>

#include "core/base/units.h"
#include "core/request/strategy.h"
#include "core/request/transfer.h"

namespace blk {

// Bytes of a part of a long transfer, but for the last one: whole bufs of a raw transfer, and with every part of an
// aligned request aligned for O_DIRECT.
inline constexpr size_t kPartGrid = static_cast<size_t>(kMaxPhys);

// Runs `transfer` through `entry`; on return its outcome is filled in. A zero-length one makes no buf.
// Errors in transfer.status: those of its plan · those of Strategy::Submit().   REQUIRES: it is planned.
void RunTransfer(Strategy& entry, Transfer& transfer);

// Runs the part [transfer.moved, transfer.moved + size) of it, on `data`, which holds those bytes alone. Parts that do
// not overlap may run at once, each with a copy of the transfer whose `moved` is where the part begins.
// -> whether the transfer goes on behind the part: false when it failed, when the device or the transfer ended.
// REQUIRES: the part lies in the transfer, and begins and ends on kPartGrid, or where the transfer does.
bool RunPart(Strategy& entry, Transfer& transfer, uint8_t* data, size_t size);

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_PHYSIO_H_
