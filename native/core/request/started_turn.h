// StartedTurn: who goes on behind something that was begun and may have ended before its start returned: whoever comes
// second, its start or its end. So those that end while they are started do not lie one in another. Used by the two.
#ifndef RUMPBLK_CORE_REQUEST_STARTED_TURN_H_
#define RUMPBLK_CORE_REQUEST_STARTED_TURN_H_

#include <atomic>
#include <cstdint>

namespace blk {

class StartedTurn {
 public:
  // Before the start. Relaxed: nobody else knows of it yet.
  void Begin() { turn_.store(Turn::kStarting, std::memory_order_relaxed); }
  // The start has returned. -> whether the end has come already, and who started goes on; else *this may be gone.
  // Acquire, with the release in Ended(): what it has done is seen.
  bool Returned() { return turn_.exchange(Turn::kReturned, std::memory_order_acq_rel) == Turn::kEnded; }
  // The end has come. -> whether the start has returned, and who ended it goes on.
  bool Ended() { return turn_.exchange(Turn::kEnded, std::memory_order_acq_rel) == Turn::kReturned; }

 private:
  enum class Turn : uint8_t { kStarting, kReturned, kEnded };

  std::atomic<Turn> turn_{Turn::kStarting};
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_STARTED_TURN_H_
