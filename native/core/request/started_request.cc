#include "core/request/started_request.h"

namespace blk {

void StartedRequest::Start(Strategy& entry, Request& request, uint8_t* data, size_t size, void (*done)(void* owner),
                           void* owner) {
  entry_ = &entry;
  // It counts on the thread that answers, which has no lease of another one's lane.
  request.lane = kSharedLane;
  run_.emplace(request, data, size);
  piece_.finish = OnFinished;
  piece_.owner = this;
  done_ = done;
  owner_ = owner;
  GoOn();
}

void StartedRequest::GoOn() {
  while (run_->Next(&piece_)) {
    turn_.Begin();
    entry_->Start(piece_);
    if (!turn_.Returned()) return;
    run_->Take(piece_);
  }
  done_(owner_);
}

void StartedRequest::OnFinished(StartedPiece& piece) {
  StartedRequest& request = *static_cast<StartedRequest*>(piece.owner);
  if (!request.turn_.Ended()) return;
  request.run_->Take(piece);
  request.GoOn();
}

}  // namespace blk
