#include "core/request/physio.h"

#include <algorithm>

namespace blk {
namespace {

// Where in a piece of `request` its next byte lies, and the bytes of that piece from there on.
struct PlaceInPiece {
  size_t at;
  size_t rest;
};

PlaceInPiece NextPlace(const Request& request) {
  const size_t rest = request.length - request.moved;
  if (!request.raw) return {request.moved, rest};
  const size_t at = request.moved % kMaxPhys;
  return {at, std::min<size_t>(rest, kMaxPhys - at)};
}

// The next piece of `request`, `asked` bytes at `data`, as far as they lie in the device.
Piece NextPiece(const Request& request, uint8_t* data, size_t asked, const PlaceInPiece& place) {
  const size_t reach = request.plan.reach - request.moved;
  Piece piece;
  static_cast<Terms&>(piece) = request;
  // Not negative: the plan would have stopped it.
  piece.position = static_cast<uint64_t>(request.position) + request.moved;
  piece.size = std::min(asked, reach);
  piece.data = data;
  piece.first = place.at == 0;
  // What follows a part that meets the end moves nothing, and could make nothing durable.
  piece.last = asked == place.rest || asked >= reach;
  piece.cancel = request.cancel;
  return piece;
}

void EndWith(Request& request, const Stop& stop) {
  request.status = stop.why;
  request.injected = stop.by != nullptr;
  request.failed_blkno = SectorAt(request.position + static_cast<int64_t>(request.moved));
  if (stop.by != nullptr) stop.by->Stopped(request);
}

}  // namespace

void RunRequest(Strategy& entry, Request& request) { RunPart(entry, request, request.data, request.length); }

bool RunPart(Strategy& entry, Request& request, uint8_t* data, size_t size) {
  const Plan& plan = request.plan;
  request.status = Status::Ok();
  const size_t begin = request.moved;
  const size_t end = begin + size;
  // First of all, as one that is refused outright may have no bytes.
  while (request.moved != plan.stop_at) {
    const size_t at = request.moved;
    if (at >= end) return end < request.length;
    const PlaceInPiece place = NextPlace(request);
    const size_t asked = std::min(place.rest, end - at);
    Piece piece = NextPiece(request, data + (at - begin), asked, place);
    entry.Submit(piece);
    request.moved = at + piece.moved;
    if (piece.status.ok() && piece.moved == asked) continue;
    // The first failure, or the end of the device. Of a piece in parts it is the whole that has failed.
    request.status = piece.status;
    request.failed_blkno = SectorAt(request.position + (request.raw ? static_cast<int64_t>(at) : 0));
    return false;
  }
  return EndWith(request, plan.stop), false;
}

}  // namespace blk
