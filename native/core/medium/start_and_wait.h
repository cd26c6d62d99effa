// StartAndWait: what Read(), Write() and the like are of a channel that answers later. No state.
#ifndef RUMPBLK_CORE_MEDIUM_START_AND_WAIT_H_
#define RUMPBLK_CORE_MEDIUM_START_AND_WAIT_H_

#include "core/base/sync.h"
#include "core/medium/channel.h"

namespace blk {

// Calls start(move), which begins it, and waits for its answer. `finish` and `owner` are filled in.   Thread: any but
// the medium's own.
template <typename Start>
Moved StartAndWait(StartedMove move, Start&& start) {
  struct Answer {
    Mutex mu;
    CondVar came;
    bool here GUARDED_BY(mu) = false;
    Moved moved GUARDED_BY(mu);
  } answer;
  move.owner = &answer;
  move.finish = [](StartedMove& done, const Moved& moved) {
    Answer& to = *static_cast<Answer*>(done.owner);
    MutexLock lock(to.mu);
    to.moved = moved;
    to.here = true;
    // Under the lock: the answer is gone as soon as who waits has seen it.
    to.came.NotifyAll();
  };
  start(move);
  MutexLock lock(answer.mu);
  while (!answer.here) answer.came.Wait(answer.mu);
  return answer.moved;
}
inline Moved StartAndWait(Channel& channel, const StartedMove& move) {
  return StartAndWait(move, [&](StartedMove& begun) { channel.Start(begun); });
}

// Of a sync, which has nothing else.
inline Status SyncAndWait(Channel& channel) {
  StartedMove move;
  move.kind = StartedMove::Kind::kSync;
  return StartAndWait(channel, move).status;
}

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_START_AND_WAIT_H_
