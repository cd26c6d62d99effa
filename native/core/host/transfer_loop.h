// Loops over short transfers and EINTR: what read(2) and write(2) leave to their caller, done once for every path.
// No state, thread-safe. What the seed leaves undone: it takes a short transfer for the end, and EINTR for a failure
// (B40). A cancel flag is looked at before each segment of kSegmentSize bytes.
#ifndef RUMPBLK_CORE_HOST_TRANSFER_LOOP_H_
#define RUMPBLK_CORE_HOST_TRANSFER_LOOP_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/base/moved.h"
#include "core/base/status.h"
#include "core/base/units.h"

namespace blk {

// Calls `call(done, size)`, with size at most kSegmentSize, until `total` bytes have moved, it answers 0 or an error,
// or `cancel` is set. `call` gives bytes or a negative errno; EINTR is asked again. A short answer is no end: the rest
// is asked for again.
// Errors: the call's errno as `op` · EIO when it moved nothing before the end · ECANCELED.   Thread: any.
template <typename Call>
Moved MoveAll(Op op, size_t total, const std::atomic<bool>* cancel, Call&& call) {
  size_t done = 0;
  while (done < total) {
    if (IsCancelled(cancel)) return {done, {ECANCELED, op}};
    const int64_t n = call(done, std::min<size_t>(total - done, kSegmentSize));
    if (n > 0) {
      done += static_cast<size_t>(n);
    } else if (n == 0) {
      return {done, {EIO, op}};  // the host file ends inside the device: it shrank
    } else if (n != -EINTR) {
      return {done, {static_cast<int>(-n), op}};
    }
  }
  return {done, Status::Ok()};
}

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_TRANSFER_LOOP_H_
