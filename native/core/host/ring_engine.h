// RingEngine: a HostEngine by io_uring, with one thread of its own, which puts transfers in and takes answers out, many
// at a time each. Where the kernel has no such thing, denies it, or stops to take calls in the middle, transfers are
// not done, and say so; what was under way by then is waited for in any case. Thread-safe.
// Lock order: mu_ is a leaf, but for the write that wakes the thread; transfers are done with without it.
#ifndef RUMPBLK_CORE_HOST_RING_ENGINE_H_
#define RUMPBLK_CORE_HOST_RING_ENGINE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "core/base/sync.h"
#include "core/host/host_engine.h"
#include "core/host/ring.h"

namespace blk {

class RingEngine final : public HostEngine {
 public:
  // `threads` outlives it. Asks nothing of the kernel yet.
  explicit RingEngine(WaitingThreads& threads) : threads_(threads) {}
  ~RingEngine() override { Stop(); }

  // Makes the ring, the first time.
  bool Ready() override EXCLUDES(mu_);
  // Starts the thread, the first time.
  bool Put(HostLine& line, HostTransfer& transfer) override EXCLUDES(mu_);
  void Stop() override EXCLUDES(mu_);
  WaitingThreads& threads() override { return threads_; }

 private:
  enum class State : uint8_t { kUntried, kReady, kNone };

  // What the thread knows alone.
  struct Progress {
    size_t under_way = 0;  // transfers that are in the ring, or that the kernel has not answered
    bool armed = false;    // the kernel answers when wake_fd_ is written to
    // The last calls that it did not take, in a row, and those that a signal interrupted.
    unsigned refusals = 0;
    unsigned interruptions = 0;
  };

  static constexpr size_t kMost = Ring::kEntries - 1;  // transfers under way; one entry is for wake_fd_
  // So many calls in a row that the kernel does not take, and it is asked no more.
  static constexpr unsigned kMostRefusals = 16;

  // The thread, from its start to the end.
  void Run() EXCLUDES(mu_);
  // Takes up to `room` transfers out of the lines, in turns. -> how many it has put into the ring.
  size_t PutEntries(size_t room) EXCLUDES(mu_);
  // Has the kernel take what is in the ring, and waits until there is something to do.
  void Enter(Progress& progress) EXCLUDES(mu_);
  // The kernel has not taken what is in the ring.
  void Refused(Progress& progress) EXCLUDES(mu_);
  // Waits without the kernel's calls for rings.
  void WaitByPoll();
  // Finishes all that have been answered.
  void TakeAnswers(Progress& progress) EXCLUDES(mu_);
  // Says that the thread is about to sleep. -> false: there is something to do.
  bool FallAsleep(const Progress& progress) EXCLUDES(mu_);
  void AwakeAgain() EXCLUDES(mu_);
  void EmptyWakeFd() const;
  // Ends all that wait, without doing them.
  void DropLines() EXCLUDES(mu_);
  bool OpenLocked() REQUIRES(mu_);
  // Wakes the thread, if it sleeps.
  void Wake() REQUIRES(mu_);
  // The transfer whose turn it is. REQUIRES: one waits.
  HostTransfer& TakeTurn() REQUIRES(mu_);

  WaitingThreads& threads_;
  std::atomic<State> state_{State::kUntried};

  Mutex mu_;
  HostLine* last_ GUARDED_BY(mu_) = nullptr;  // lines that wait form a circle: behind the last one comes the next turn
  bool asleep_ GUARDED_BY(mu_) = false;
  bool ended_ GUARDED_BY(mu_) = false;
  std::thread thread_ GUARDED_BY(mu_);

  // Made before the thread is, and by then its own.
  Ring ring_;
  int wake_fd_ = -1;  // an eventfd
};

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_RING_ENGINE_H_
