// Call: a task that comes back to the JavaScript thread when it has run. Work() runs on an I/O worker, or Start()
// begins there what ends on another thread; Return() runs on the JavaScript thread afterwards; construction and
// destruction are on the JavaScript thread too, so that references die there. It can be taken back while it still waits
// or is queued: Work() then never begins.
#ifndef RUMPBLK_ADDON_CALL_H_
#define RUMPBLK_ADDON_CALL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "addon/napi_setup.h"
#include "core/request/decision.h"
#include "core/workers/calls_in_flight.h"
#include "core/workers/hold_line.h"
#include "core/workers/intake.h"

namespace blk_addon {

class Call;

// Where calls go when their work is done, and what counts those that are pending. Outlives them.
class CallSink {
 public:
  // Takes a call whose work is done.   Thread: any.   Never blocks.
  virtual void Post(std::unique_ptr<Call> call) = 0;
  // Calls that have begun on workers and end on threads of media.   Thread: any.
  virtual blk::CallsInFlight& started() = 0;
  // Counts out a pending call that has settled although its task is still on its way.   Thread: JavaScript.
  virtual void CountOut() = 0;

 protected:
  ~CallSink() = default;
};

// Its states: queued, then running and done, or taken back. One that is taken back still passes through the queue and
// the completion, or leaves the backlog at its turn, and is destroyed on the right thread.
class Call : public blk::IntakeTask {
 public:
  // Thread: JavaScript.
  explicit Call(CallSink& sink) : sink_(sink) {}

  // Runs Work() unless taken back, and hands itself to the completion; this object may be gone when it returns. Thread:
  // a worker.
  void Run(std::unique_ptr<blk::IoTask> self, blk::IoWorker& worker) final;
  // Start() without a worker, if StartsHere() says so and unless taken back.
  bool StartHere() final;
  // What is to be done once it has run, or would have. -> how many calls that count as pending have settled by it.
  // Once; the completion destroys it behind that. Thread: JavaScript, as for all below.
  virtual int Return(napi_env env) = 0;

 protected:
  CallSink& sink() const { return sink_; }

  // Begins what ends later, on another thread, with Finished(). -> false when it is nothing of that kind: Work() runs.
  // Thread: any worker. Touches nothing of JavaScript, and nothing of this object once it has begun.
  virtual bool Start(blk::IoWorker& worker) { return static_cast<void>(worker), false; }
  // Whether Start() is known to begin something, so that it needs no worker to find out. Thread: JavaScript.
  virtual bool StartsHere() { return false; }
  // First of all in a Start() that begins something: the environment does not end before Finished(). -> false when it
  // ends already: nothing may begin.
  bool BeginStart();
  // What Start() has begun is over. This object may be gone when it returns.   Thread: any.
  void Finished();
  // Thread: any worker. Touches nothing of JavaScript.
  virtual void Work(blk::IoWorker& worker) = 0;
  // Runs Work() on this thread, which may block it.
  void WorkHere();
  // -> whether it will not run any more because of this call; false when it runs or has run, or was taken back before.
  bool TakeBack();
  bool taken_back() const { return state_.load(std::memory_order_acquire) == State::kTakenBack; }
  // Its completion is held by what filters have decided on it, one after the other; `cancel` as in HoldTicket::Hold().
  // Before it is queued.
  void HoldBy(std::shared_ptr<const blk::Decision> decided, const std::atomic<bool>* cancel = nullptr) {
    if (decided && decided->hold() != nullptr) {
      if (!held_by_.empty()) decided->hold()->StandBack();
      held_by_.push_back(std::move(decided));
    }
    cancel_hold_ = cancel;
  }
  // Whether it was let go because it was called off.
  bool called_off() const {
    for (const auto& decided : held_by_) {
      if (decided->hold()->called_off()) return true;
    }
    return false;
  }
  // Whether Work() ran out of memory.
  bool no_memory() const { return no_memory_; }

 private:
  friend class Completion;

  enum class State : uint8_t { kQueued, kRunning, kTakenBack };

  void WorkIfMemory(blk::IoWorker& worker);

  // -> whether it ends later.
  bool StartIfMemory(blk::IoWorker& worker);

  // Work() is over: goes to the completion, at once or when nothing holds it any more.
  void Complete();
  // Waits for what holds it still, and is finished then.
  void GoOn();

  CallSink& sink_;
  std::vector<std::shared_ptr<const blk::Decision>> held_by_;
  size_t held_ = 0;  // of these: how many are over
  const std::atomic<bool>* cancel_hold_ = nullptr;
  // While it is started and not finished: the environment does not end meanwhile.
  blk::CallsInFlight::Call started_;
  // Moved once, from kQueued: by the worker that begins the call, or by TakeBack().
  std::atomic<State> state_{State::kQueued};
  bool no_memory_ = false;
  Call* done_before_ = nullptr;  // Completion's: its list of calls that are done
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_CALL_H_
