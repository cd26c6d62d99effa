// Buf: one request as the kernel hands it to d_strategy: a piece of a planned transfer, all of it inside the device.
// Whoever makes it owns it; Strategy::Submit() fills in the outcome before it returns. Plain data, used by one thread
// at a time. Model: struct buf of NetBSD's sys/buf.h, the fields that rumpblk.c r1.31 uses.
#ifndef RUMPBLK_CORE_REQUEST_BUF_H_
#define RUMPBLK_CORE_REQUEST_BUF_H_

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "core/base/counters.h"
#include "core/base/status.h"

namespace blk {

// B_READ, and its absence.
enum class BufOp : uint8_t { kRead, kWrite };

// What a request and each buf of it have in common, in one word: it is copied from the one to the other.
struct alignas(8) Terms {
  BufOp op = BufOp::kRead;
  bool deferred = false;  // B_ASYNC: may complete before it is durable
  bool durable = false;   // a write that is on the medium before it completes
  bool nowait = false;    // a read that ends as IsUndone() says rather than wait for a disk
  // Where it counts: a lane that its thread has leased costs less.
  Lane lane = kSharedLane;
};

struct Buf : Terms {
  uint64_t position = 0;    // bytes from the start of the device
  size_t bcount = 0;        // bytes, never rewritten (B39); 0 at the end of the device
  uint8_t* data = nullptr;  // at least bcount bytes; only read from by a write
  bool first = true;        // the first part of its request, which counts for all of them
  bool last = true;         // the last part, which makes all of them durable; the end of the device sets it as well
  const std::atomic<bool>* cancel = nullptr;  // set by others to end the buf after its current segment

  // Filled in by biodone.
  size_t resid = 0;  // bytes not moved
  Status status;
};

// What became of a read that must not wait: EAGAIN, it would have to; EOPNOTSUPP, the host or the access cannot tell.
// Nothing was moved then, or counted: it comes again without `nowait`.
inline bool IsUndone(Status status) { return status.err == EAGAIN || status.err == EOPNOTSUPP; }

// Completes `buf`, once: `moved` bytes went through, then `status` happened. The last thing that is done to it: its
// owner may look from here on (B20). bcount is only subtracted from (B39).   REQUIRES: moved <= buf.bcount.
inline void Biodone(Buf& buf, size_t moved, Status status) {
  buf.resid = buf.bcount - moved;
  buf.status = status;
}

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_BUF_H_
