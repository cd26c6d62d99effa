// Physio: turns a byte range into bufs and runs them through a Strategy, one after the other, until one fails or the
// device ends. A raw transfer is cut into bufs of at most kMaxPhys bytes; any other is one buf. A long one may be run
// in parts, each on memory of its own; a buf that does not fit a part is then cut, and is one buf still to who counts.
// A Transfer is plain data, used by one thread at a time. No locks.
// Model: physio(9) as rumpblk.c r1.31 lines 543-568 uses it; residual and error follow the first buf that fell short.
#ifndef RUMPBLK_CORE_REQUEST_PHYSIO_H_
#define RUMPBLK_CORE_REQUEST_PHYSIO_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/base/units.h"
#include "core/request/buf.h"
#include "core/request/strategy.h"

namespace blk {

// One call of read, write or strategy: what is asked for, then what became of it. Whoever makes it keeps `data` alive
// until it has run.
struct Transfer {
  static constexpr uint64_t kNoChunk = std::numeric_limits<uint64_t>::max();

  BufOp op = BufOp::kRead;
  int64_t position = 0;     // bytes from the start of the device; of a raw one, where a sector begins
  size_t length = 0;        // bytes
  uint8_t* data = nullptr;  // at least length bytes; not looked at by RunPart()
  bool raw = false;         // cut into bufs of kMaxPhys bytes
  bool deferred = false;    // as in each Buf
  bool durable = false;     // as in each Buf
  bool nowait = false;      // as in each Buf; of one buf at most, so that it moves all or nothing
  // Where it counts: a lane that its thread has leased costs less.
  Lane lane = kSharedLane;
  const std::atomic<bool>* cancel = nullptr;
  Status refusal;                    // why none of it may run; set by Strategy::Admit()
  uint64_t doomed_chunk = kNoChunk;  // index of the first buf that the fault injector fails; set by Strategy::Admit()

  // Filled in by RunTransfer() and RunPart().
  size_t moved = 0;  // bytes, from the start without a gap
  Status status;
  bool injected = false;
  int64_t failed_blkno = 0;  // first sector of the buf that failed

  // Bytes of one buf, and the number of bufs that it takes to move all: none for a length of 0.
  size_t chunk_size() const { return raw ? static_cast<size_t>(kMaxPhys) : length; }
  uint64_t chunk_count() const { return length == 0 ? 0 : (length - 1) / chunk_size() + 1; }
  // Whether it touches its memory at all: not when it is refused, empty, or when its first buf is made to fail.
  bool moves() const { return refusal.ok() && doomed_chunk != 0 && length > 0; }
};

// Bytes of a part of a long transfer, but for the last one: whole bufs of a raw transfer, and with every part of an
// aligned request aligned for O_DIRECT.
inline constexpr size_t kPartGrid = static_cast<size_t>(kMaxPhys);

// Runs `transfer` through `entry`; on return its outcome is filled in. A zero-length one makes no buf.
// Errors in transfer.status: EINVAL raw and not where a sector begins · those of Strategy::Submit().
void RunTransfer(Strategy& entry, Transfer& transfer);

// Runs the part [transfer.moved, transfer.moved + size) of it, on `data`, which holds those bytes alone. Parts that do
// not overlap may run at once, each with a copy of the transfer whose `moved` is where the part begins.
// -> whether the transfer goes on behind the part: false when it failed, when the device or the transfer ended.
// REQUIRES: the part lies in the transfer, and begins and ends on kPartGrid, or where the transfer does.
bool RunPart(Strategy& entry, Transfer& transfer, uint8_t* data, size_t size);

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_PHYSIO_H_
