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
    // Relaxed: the piece is not known to anybody else yet.
    turn_.store(Turn::kStarting, std::memory_order_relaxed);
    entry_->Start(piece_);
    // Acquire, with the release in OnFinished(): the outcome of the piece comes with it.
    if (turn_.exchange(Turn::kReturned, std::memory_order_acq_rel) != Turn::kFinished) return;
    run_->Take(piece_);
  }
  done_(owner_);
}

void StartedRequest::OnFinished(StartedPiece& piece) {
  StartedRequest& request = *static_cast<StartedRequest*>(piece.owner);
  if (request.turn_.exchange(Turn::kFinished, std::memory_order_acq_rel) == Turn::kStarting) return;
  request.run_->Take(piece);
  request.GoOn();
}

}  // namespace blk
