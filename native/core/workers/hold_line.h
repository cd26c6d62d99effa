// HoldLine: requests that are done and whose completion is held: until a time of its clock, or until their tag is
// released. No thread waits for them: who completes a request asks its ticket, and is called when the time has come.
// The clock is the host's, with one thread of the line's own from the first hold on, or a virtual one, which others
// move.
// Memory is needed when a request is admitted, and when it is done; never to let it go.
// Thread-safe. Lock order: mu_ is a leaf; what is let go is called without it.
#ifndef RUMPBLK_CORE_WORKERS_HOLD_LINE_H_
#define RUMPBLK_CORE_WORKERS_HOLD_LINE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "core/base/status.h"
#include "core/base/sync.h"

namespace blk {

class HoldLine;

// Whom to call for a ticket that is over: moved from list to list, which needs no memory.
struct HoldGo {
  void (*go)(void* owner);
  void* owner;
};
using HoldGone = std::list<HoldGo>;

// One request in the line, from its admission to its end. Owned by its decision; HoldLine's but for the constructor.
class HoldTicket {
 public:
  // Enters `line`: held until `delay` ns from now, and until `tag` is released where there is one; of neither it is not
  // held, and counts as under way. `ended`: set when whoever holds has ended, whose tickets ReleaseAll() lets go.
  // Throws std::bad_alloc.
  HoldTicket(std::shared_ptr<HoldLine> line, uint64_t delay, std::optional<uint64_t> tag,
             const std::atomic<bool>& ended);
  ~HoldTicket();
  HoldTicket(const HoldTicket&) = delete;
  HoldTicket& operator=(const HoldTicket&) = delete;

  // The request is done. -> false: it is not held, or not any more. true: `go(owner)` is called once, by any thread,
  // perhaps before this returns. `cancel`, which may be null: once it is set LetGoCancelled() lets it go.
  // `instead_of`: one of the same completion that is over, whose place this takes.
  bool Hold(const std::atomic<bool>* cancel, void (*go)(void* owner), void* owner, HoldTicket* instead_of = nullptr);
  // Another one stands for its completion, until Hold(): of several in one completion one counts as under way.
  void StandBack();
  // The same on the thread that asked for it, which waits: a virtual clock is moved on, and lets go what is due before.
  void WaitHere();
  // Whether a thread that waits for it here would do so for ever: a hang.
  bool hangs() const;
  // Whether it was let go because its request was called off.
  bool called_off() const { return called_off_.load(std::memory_order_acquire); }

 private:
  friend class HoldLine;
  enum class State : uint8_t { kOver, kTimed, kHanging };

  // Whether it is done, held, and its request called off.
  bool IsCancelled() const {
    return !waiting_.empty() && cancel_ != nullptr && cancel_->load(std::memory_order_relaxed);
  }

  const std::shared_ptr<HoldLine> line_;
  const std::atomic<bool>& ended_;
  // Under the line's mutex.
  uint64_t due_ = 0;
  std::optional<uint64_t> tag_;
  uint64_t order_ = 0;
  State state_ = State::kOver;
  bool back_ = false;  // it counts as none under way
  const std::atomic<bool>* cancel_ = nullptr;
  // Who is called: the parts of a request share its ticket.
  HoldGone waiting_;
  std::atomic<bool> called_off_{false};
};

// Owned by shared_ptr.
class HoldLine {
 public:
  enum class Clock : uint8_t { kReal, kVirtual };

  // The time begins at `start`, in ns.
  explicit HoldLine(Clock clock, uint64_t start = 0);
  // REQUIRES: no ticket is left.
  ~HoldLine();
  HoldLine(const HoldLine&) = delete;
  HoldLine& operator=(const HoldLine&) = delete;

  uint64_t now() const;
  bool is_virtual() const { return clock_ == Clock::kVirtual; }
  // Lets go those that hang at this tag, of this `ended`, done or not. -> how many. They may have a time to wait for
  // still.
  size_t Release(uint64_t tag, const std::atomic<bool>& ended) EXCLUDES(mu_);
  // Lets go all of this `ended`, which is set already.
  void ReleaseAll(const std::atomic<bool>& ended) EXCLUDES(mu_);
  // Lets go those that are done and whose requests were called off.
  void LetGoCancelled() EXCLUDES(mu_);

  // Of a virtual clock: when the next one is due; nothing when none is.
  std::optional<uint64_t> NextDue() const EXCLUDES(mu_);
  // Moves it to the time of the next one if that is due by `until`, and lets it go; else to `until`. -> whether it was.
  bool Advance(uint64_t until) EXCLUDES(mu_);
  // Whether every request in the line is done and held.
  bool quiet() const EXCLUDES(mu_);
  // Requests that are held, or will be.
  size_t waiting() const EXCLUDES(mu_);

 private:
  friend class HoldTicket;
  void Enter(HoldTicket& ticket, uint64_t delay) EXCLUDES(mu_);
  void Leave(HoldTicket& ticket) EXCLUDES(mu_);
  // Takes it out of the line's lists. What is to be called for that goes to `gone`.
  void End(HoldTicket& ticket, HoldGone& gone) REQUIRES(mu_);
  void EndCancelled(HoldTicket& ticket, HoldGone& gone) REQUIRES(mu_);
  uint64_t NowLocked() const REQUIRES(mu_);
  void Watch() EXCLUDES(mu_);
  static void Call(const HoldGone& gone) {
    for (const HoldGo& each : gone) each.go(each.owner);
  }

  const Clock clock_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  const uint64_t start_;

  mutable Mutex mu_;
  CondVar changed_;
  uint64_t now_ GUARDED_BY(mu_);  // of a virtual clock
  uint64_t orders_ GUARDED_BY(mu_) = 0;
  // By when they are due, which is not known of those that hang, and order. Tickets move from one to the other.
  using Tickets = std::map<std::pair<uint64_t, uint64_t>, HoldTicket*>;
  Tickets timed_ GUARDED_BY(mu_);
  Tickets hanging_ GUARDED_BY(mu_);
  size_t entered_ GUARDED_BY(mu_) = 0;
  size_t held_ GUARDED_BY(mu_) = 0;  // those that somebody waits for
  bool stopping_ GUARDED_BY(mu_) = false;
  std::thread watcher_;  // started under mu_
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORKERS_HOLD_LINE_H_
