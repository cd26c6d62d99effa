#include "core/request/physio.h"

#include <algorithm>

namespace blk {
namespace {

// Where in a piece of `transfer` its next byte lies, and the bytes of that piece from there on.
struct PlaceInPiece {
  size_t at;
  size_t rest;
};

PlaceInPiece NextPlace(const Transfer& transfer) {
  const size_t rest = transfer.length - transfer.moved;
  if (!transfer.raw) return {transfer.moved, rest};
  const size_t at = transfer.moved % kMaxPhys;
  return {at, std::min<size_t>(rest, kMaxPhys - at)};
}

// The next buf of `transfer`, `asked` bytes at `data`, as far as they lie in the device.
Buf NextBuf(const Transfer& transfer, uint8_t* data, size_t asked, const PlaceInPiece& place) {
  const size_t reach = transfer.plan.reach - transfer.moved;
  Buf buf;
  static_cast<Terms&>(buf) = transfer;
  // Not negative: the plan would have stopped it.
  buf.position = static_cast<uint64_t>(transfer.position) + transfer.moved;
  buf.bcount = std::min(asked, reach);
  buf.data = data;
  buf.first = place.at == 0;
  // What follows a part that meets the end moves nothing, and could make nothing durable.
  buf.last = asked == place.rest || asked >= reach;
  buf.cancel = transfer.cancel;
  return buf;
}

void EndWith(Transfer& transfer, const Stop& stop) {
  transfer.status = stop.why;
  transfer.injected = stop.by != nullptr;
  transfer.failed_blkno = SectorAt(transfer.position + static_cast<int64_t>(transfer.moved));
  if (stop.by != nullptr) stop.by->Stopped(transfer);
}

}  // namespace

void RunTransfer(Strategy& entry, Transfer& transfer) { RunPart(entry, transfer, transfer.data, transfer.length); }

bool RunPart(Strategy& entry, Transfer& transfer, uint8_t* data, size_t size) {
  const Plan& plan = transfer.plan;
  transfer.status = Status::Ok();
  const size_t begin = transfer.moved;
  const size_t end = begin + size;
  // First of all, as one that is refused outright may have no bytes.
  while (transfer.moved != plan.stop_at) {
    const size_t at = transfer.moved;
    if (at >= end) return end < transfer.length;
    const PlaceInPiece place = NextPlace(transfer);
    const size_t asked = std::min(place.rest, end - at);
    Buf buf = NextBuf(transfer, data + (at - begin), asked, place);
    entry.Submit(buf);
    const size_t moved = buf.bcount - buf.resid;
    transfer.moved = at + moved;
    if (buf.status.ok() && moved == asked) continue;
    // The first failure, or the end of the device. Of a buf in parts it is the whole that has failed.
    transfer.status = buf.status;
    transfer.failed_blkno = SectorAt(transfer.position + (transfer.raw ? static_cast<int64_t>(at) : 0));
    return false;
  }
  return EndWith(transfer, plan.stop), false;
}

}  // namespace blk
