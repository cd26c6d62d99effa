// Physio: turns a byte range into pieces and runs them through a Strategy, one after the other, until one fails or the
// device ends. A raw request is cut into pieces of at most kMaxPhys bytes; any other is one piece: its Plan says so
// before the first one runs. A long one may be run in parts, each on memory of its own; a piece that does not fit a
// part is then cut, and is one piece still to who counts. No state. Model: physio(9) as rumpblk.c r1.31 lines 543-568
// uses it; residual and error follow the first piece that fell short.
#ifndef RUMPBLK_CORE_REQUEST_PHYSIO_H_
#define RUMPBLK_CORE_REQUEST_PHYSIO_H_

#include <cstddef>
#include <cstdint>

#include "core/base/units.h"
#include "core/request/request.h"
#include "core/request/strategy.h"

namespace blk {

// Bytes of a part of a long request, but for the last one: whole pieces of a raw request, and with every part of an
// aligned request aligned for O_DIRECT.
inline constexpr size_t kPartGrid = static_cast<size_t>(kMaxPhys);

// PartRun: which piece of a request, or of a part of it, is the next one, and what becomes of the request by each. For
// whoever runs the pieces, at once or started. Used by one thread at a time.
class PartRun {
 public:
  // The part [request.moved, request.moved + size), on `data`. What is given outlives this object.
  // REQUIRES: as RunPart().
  PartRun(Request& request, uint8_t* data, size_t size)
      : request_(request), data_(data), begin_(request.moved), end_(request.moved + size) {
    request.status = Status::Ok();
  }

  // Fills in the next piece. -> false when there is none: the part is over.
  bool Next(Piece* piece);
  // Takes in the outcome of the piece that Next() gave.
  void Take(const Piece& piece);
  // Whether the request goes on behind the part: false when it failed, when the device or the request ended.
  // REQUIRES: Next() has answered false.
  bool goes_on() const { return !over_ && end_ < request_.length; }

 private:
  Request& request_;
  uint8_t* const data_;
  const size_t begin_;
  const size_t end_;
  size_t asked_ = 0;   // bytes of the piece under way, with what lies behind the end of the device
  bool over_ = false;  // nothing of the request comes any more
};

// Runs `request` through `entry`; on return its outcome is filled in. A zero-length one makes no piece.
// Errors in request.status: those of its plan · those of Strategy::Submit().   REQUIRES: it is planned.
void RunRequest(Strategy& entry, Request& request);

// Runs the part [request.moved, request.moved + size) of it, on `data`, which holds those bytes alone. Parts that do
// not overlap may run at once, each with a copy of the request whose `moved` is where the part begins.
// -> whether the request goes on behind the part: false when it failed, when the device or the request ended.
// REQUIRES: the part lies in the request, and begins and ends on kPartGrid, or where the request does.
bool RunPart(Strategy& entry, Request& request, uint8_t* data, size_t size);

// Tells the filter that wants to hear of it that `request` is over. Once, by whoever has admitted it, as the last thing
// before its caller hears of that; parts of it and copies are nobody's business. For one that never ran, with a status
// that says so.   Thread: any.
inline void CompleteRequest(Request& request) {
  if (request.trace.filter != nullptr) request.trace.filter->Completed(request);
}

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_PHYSIO_H_
