#include "core/request/physio.h"

#include <algorithm>

#include "core/request/filter.h"

namespace blk {
namespace {

// Where in a piece of `request` its next byte lies, and the bytes of that piece from there on.
struct PlaceInPiece {
  size_t at;
  size_t rest;
};

PlaceInPiece NextPlace(const Request& request) {
  const size_t rest = request.length - request.moved;
  if (!request.is_cut()) return {request.moved, rest};
  const size_t at = request.moved % kMaxPhys;
  return {at, std::min<size_t>(rest, kMaxPhys - at)};
}

// Makes *piece the next one of `request`, `asked` bytes at `data`, as far as they lie in the device.
void FillIn(const Request& request, uint8_t* data, size_t asked, const PlaceInPiece& place, Piece* piece) {
  const size_t reach = request.plan.reach - request.moved;
  static_cast<Terms&>(*piece) = request;
  // Not negative: the plan would have stopped it.
  piece->position = static_cast<uint64_t>(request.position) + request.moved;
  piece->size = std::min(asked, reach);
  piece->data = data;
  piece->first = place.at == 0;
  // What follows a part that meets the end moves nothing, and could make nothing durable.
  piece->last = asked == place.rest || asked >= reach;
  piece->cancel = request.cancel;
  piece->source = request.source;
  piece->decided = request.plan.decided.get();
  piece->whole = &request;
  piece->stack = request.stack;
}

void EndWith(Request& request, const Stop& stop) {
  request.status = stop.why;
  request.injected = stop.by != nullptr;
  request.failed_blkno = SectorAt(request.position + static_cast<int64_t>(request.moved));
  if (stop.by != nullptr) stop.by->Stopped(request);
}

}  // namespace

void RunRequest(Strategy& entry, Request& request) { RunPart(entry, request, request.data, request.length); }

bool PartRun::Next(Piece* piece) {
  if (over_) return false;
  // First of all, as one that is refused outright may have no bytes.
  if (request_.moved == request_.plan.stop_at) {
    EndWith(request_, request_.plan.stop);
    over_ = true;
    return false;
  }
  if (request_.moved >= end_) return false;
  const PlaceInPiece place = NextPlace(request_);
  asked_ = std::min(place.rest, end_ - request_.moved);
  FillIn(request_, data_ + (request_.moved - begin_), asked_, place, piece);
  return true;
}

void PartRun::Take(const Piece& piece) {
  const size_t at = request_.moved;
  request_.moved = at + piece.moved;
  if (piece.status.ok() && piece.moved == asked_) return;
  // The first failure, or the end of the device. Of a piece in parts it is the whole that has failed.
  request_.status = piece.status;
  request_.failed_blkno = SectorAt(request_.position + (request_.is_cut() ? static_cast<int64_t>(at) : 0));
  over_ = true;
}

bool RunPart(Strategy& entry, Request& request, uint8_t* data, size_t size) {
  PartRun run(request, data, size);
  for (Piece piece; run.Next(&piece);) {
    entry.Submit(piece);
    run.Take(piece);
  }
  return run.goes_on();
}

}  // namespace blk
