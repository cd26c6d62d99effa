// RunNow: a request, or a part of it, as far as it needs no disk. No state, thread-safe.
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

inline constexpr size_t PartOf(blk::Operation op) { return op == blk::Operation::kRead ? kReadPart : kWritePart; }

// How far RunNow() came. kNotTried: its time was up before it began. kDone: over. kWouldWait: the next bytes wait for a
// disk. kUnknown: nobody can tell. A write is never run, only classified.
enum class Now : uint8_t { kNotTried, kDone, kWouldWait, kUnknown };

// What an attempt that has ended says: a read that would have had to wait is not over.
inline Now RunOutcome(blk::Request& request) {
  if (!blk::IsUndone(request.status)) return Now::kDone;
  const Now now = request.status.err == EAGAIN ? Now::kWouldWait : Now::kUnknown;
  request.status = blk::Status::Ok();
  return now;
}

// Runs what is left of `request` on `data`, which holds that, part by part for as long as `may_go_on(bytes)`. What a
// part did not move has not happened. kDone: it is over, well or not.
template <typename MayGoOn>
Now RunNow(blk::Strategy& entry, blk::Request& request, uint8_t* data, MayGoOn&& may_go_on) {
  if (request.operation == blk::Operation::kWrite) return request.durable ? Now::kWouldWait : Now::kUnknown;
  request.nowait = true;
  Now now = Now::kNotTried;
  for (bool more = true; more;) {
    const size_t size = std::min(request.length - request.moved, kReadPart);
    if (!may_go_on(size)) break;
    const size_t before = request.moved;
    more = blk::RunPart(entry, request, data, size);
    data += request.moved - before;
    if (!more) now = RunOutcome(request);
  }
  request.nowait = false;
  return now;
}

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_RUN_NOW_H_
