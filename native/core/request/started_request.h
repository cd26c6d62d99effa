// StartedRequest: a request, or a part of one, whose pieces are started one after the other: the next one when the one
// before has finished, on whichever thread that is. So it takes no thread while it waits for a medium that answers
// later. Used by one thread at a time; a member of the object that runs the request.
#ifndef RUMPBLK_CORE_REQUEST_STARTED_REQUEST_H_
#define RUMPBLK_CORE_REQUEST_STARTED_REQUEST_H_

#include <optional>

#include "core/request/physio.h"
#include "core/request/started_turn.h"

namespace blk {

class StartedRequest {
 public:
  StartedRequest() = default;
  StartedRequest(const StartedRequest&) = delete;
  StartedRequest& operator=(const StartedRequest&) = delete;

  // Begins the part [request.moved, request.moved + size) of `request` on `data`, as RunPart() would run it.
  // `done(owner)` is called once it is over and its outcome filled in, by any thread, perhaps before this returns;
  // *this may be gone then, so that the caller looks at nothing of it behind the call. REQUIRES: as RunPart(), and a
  // request that is not `nowait`; all of it outlives the call of `done`.
  void Start(Strategy& entry, Request& request, uint8_t* data, size_t size, void (*done)(void* owner), void* owner);

 private:
  // Starts pieces for as long as each finishes while it is started. *this may be gone when it returns.
  void GoOn();
  static void OnFinished(StartedPiece& piece);

  Strategy* entry_ = nullptr;
  std::optional<PartRun> run_;
  StartedPiece piece_;
  void (*done_)(void* owner) = nullptr;
  void* owner_ = nullptr;
  StartedTurn turn_;  // of the piece under way: who takes it in
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_STARTED_REQUEST_H_
