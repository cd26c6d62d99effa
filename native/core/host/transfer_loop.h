// Loops over short transfers and EINTR: what read(2), write(2) and others leave to their caller, done once for all.
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

// How often in a row EINTR is asked again. Signals do not get that far: each would have to come while the call that the
// one before it interrupted has not moved a byte. A daemon behind a file system that answers nothing else does, and
// must not hold its caller for ever, which may be an event loop.
inline constexpr unsigned kMostInterruptions = 1000;

// Makes `call`, which gives a negative errno or what it is asked for, again while it answers EINTR. -> its answer;
// EINTR when it gives no other.
template <typename Call>
auto Uninterrupted(Call&& call) {
  auto answer = call();
  for (unsigned i = 0; answer == -EINTR && i < kMostInterruptions; i++) answer = call();
  return answer;
}

// Calls `call(done, size)`, with size at most kSegmentSize, until `total` bytes have moved, it answers 0 or an error,
// or `cancel` is set. `call` gives bytes or a negative errno; EINTR is asked again, as by Uninterrupted(). A short
// answer is no end: the rest is asked for again.
// Errors: the call's errno as `op` · EIO when it moved nothing before the end · ECANCELED.   Thread: any.
template <typename Call>
Moved MoveAll(Op op, size_t total, const std::atomic<bool>* cancel, Call&& call) {
  size_t done = 0;
  unsigned interruptions = 0;
  while (done < total) {
    if (IsCancelled(cancel)) return {done, {ECANCELED, op}};
    const int64_t n = call(done, std::min<size_t>(total - done, kSegmentSize));
    if (n > 0) {
      done += static_cast<size_t>(n);
      interruptions = 0;
    } else if (n == 0) {
      return {done, {EIO, op}};  // the host file ends inside the device: it shrank
    } else if (n != -EINTR || interruptions++ == kMostInterruptions) {
      return {done, {static_cast<int>(-n), op}};
    }
  }
  return {done, Status::Ok()};
}

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_TRANSFER_LOOP_H_
