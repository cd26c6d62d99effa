// RunNow: a transfer, or a part of it, as far as it needs no disk. No state, thread-safe.
#ifndef RUMPBLK_ADDON_RUN_NOW_H_
#define RUMPBLK_ADDON_RUN_NOW_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/request/physio.h"

namespace blk_addon {

// Bytes: the most that is copied between two looks at the clock on the JavaScript thread, and what a worker reads in
// one go into memory that is then copied while it reads on; small enough to be in the processor's cache still.
inline constexpr size_t kReadPart = 256 * 1024;
// The same of a write, which pays for a turn through the queue with each.
inline constexpr size_t kWritePart = 1024 * 1024;

inline constexpr size_t PartOf(blk::BufOp op) { return op == blk::BufOp::kRead ? kReadPart : kWritePart; }

// What became of an attempt to run without waiting: if it was not run, whether it has to wait, as far as is known.
enum class Now : uint8_t { kNotTried, kDone, kWouldWait, kUnknown };

// Runs what is left of `transfer` on `data`, which holds that, part by part for as long as `may_go_on(bytes)`. What a
// part did not move has not happened. kDone: it is over, well or not.
template <typename MayGoOn>
Now RunNow(blk::Strategy& entry, blk::Transfer& transfer, uint8_t* data, MayGoOn&& may_go_on) {
  if (transfer.op == blk::BufOp::kWrite) return transfer.durable ? Now::kWouldWait : Now::kUnknown;
  transfer.nowait = true;
  Now now = Now::kNotTried;
  for (bool more = true; more;) {
    const size_t size = std::min(transfer.length - transfer.moved, kReadPart);
    if (!may_go_on(size)) break;
    const size_t before = transfer.moved;
    more = blk::RunPart(entry, transfer, data, size);
    data += transfer.moved - before;
    if (more) continue;
    now = Now::kDone;
    if (!blk::IsUndone(transfer.status)) break;
    now = transfer.status.err == EAGAIN ? Now::kWouldWait : Now::kUnknown;
    transfer.status = blk::Status::Ok();
  }
  transfer.nowait = false;
  return now;
}

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_RUN_NOW_H_
