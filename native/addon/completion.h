// Completion: brings finished calls from I/O workers back to the JavaScript thread (biodone -> settle). One wake-up and
// one settle pass for a burst of them. One per environment.
// Thread-safe without locks: Post() from any thread; all else on the JavaScript thread.
// While a call is pending it keeps the event loop alive; an idle one does not.
#ifndef RUMPBLK_ADDON_COMPLETION_H_
#define RUMPBLK_ADDON_COMPLETION_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <list>
#include <memory>

#include "addon/call.h"
#include "addon/lent_memory.h"
#include "addon/napi_setup.h"
#include "addon/pending_call.h"
#include "core/workers/intake.h"

namespace blk_addon {

// The intake of a driver as the completion of its environment knows it. Kept by whatever waits in it.
class CallIntake {
 public:
  // `intake` outlives this.
  explicit CallIntake(blk::Intake& intake) : intake_(intake) {}
  CallIntake(const CallIntake&) = delete;
  CallIntake& operator=(const CallIntake&) = delete;

  bool waiting() const { return intake_.waiting(); }

 private:
  friend class Completion;

  blk::Intake& intake_;
  // Of Completion's list of those in which calls wait.
  CallIntake* next_waiting_ = nullptr;
  bool listed_ = false;
};

// What goes on in a later turn of the event loop without a worker.
class TurnWaiter {
 public:
  virtual ~TurnWaiter() = default;
  // Its turn has come. -> how many calls that count as pending have settled by it.
  virtual int Turn() = 0;
};

class Completion final : public CallSink {
 public:
  // Makes the thread-safe functions, unreferenced: nothing is pending yet.
  explicit Completion(napi_env env);
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  // True while a promise form may still answer `bytes` on the spot. After a millisecond of such answers one goes
  // through the queue although it need not: promises that never wait would keep the event loop from everything else.
  bool MayAnswerNow(size_t bytes) {
    if (answers_left_ == 0 && !HasTimeLeft()) return false;
    const size_t cost = 1 + bytes / kBytesAnAnswer;
    answers_left_ -= static_cast<unsigned>(std::min<size_t>(cost, answers_left_));
    return true;
  }

  // Gives `waiter`, whose device has `flow`, its turn when promise forms may answer on the spot again. Devices take
  // turns; of one device those that have begun (kAhead) come first. -> false, and it gets none, when they may now, or
  // without memory for it.
  bool AwaitTurn(const blk::IntakeFlow* flow, std::shared_ptr<TurnWaiter> waiter, blk::Intake::Place place);

  // Queues `call` as the last one of `flow`, as soon as there are memory and room for it; its promise settles in a
  // later turn. When no thread or no memory for the queue can be had it runs here if it must, else settles with EAGAIN
  // or ENOMEM; on a driver that is stopped, with EBADF.
  // -> the promise, in any case: lib awaits every failure alike.
  napi_value Submit(CallIntake& intake, blk::IntakeFlow& flow, std::unique_ptr<PendingCall> call);
  // Puts a call that owns no promise; what becomes of it is the caller's affair. Outcomes: those of Intake::Put().
  blk::Intake::Outcome Put(CallIntake& intake, blk::IntakeFlow& flow, std::unique_ptr<blk::IntakeTask>& call,
                           blk::Intake::Place place = blk::Intake::Place::kBehind);

  // Takes a call whose work is done, and wakes the JavaScript thread if it is the first since the last pass.
  // Thread: any.   Never blocks.
  void Post(std::unique_ptr<Call> call) override;
  // Whether it still does: not behind Abandon().   Thread: any, while tasks may run; JavaScript's behind that.
  bool takes() const { return takes_.load(std::memory_order_relaxed); }

  // Counts in what keeps the event loop alive without being a call of Submit(), and out what has settled although its
  // task is still on its way.
  void CountIn() { CountPending(+1); }
  void CountOut() override { CountPending(-1); }

  // Goes on with the calls that wait, as far as there are memory and room. Drops those of a queue that has stopped: a
  // driver is closed when no call of it is pending, so they are given up.
  void Refill();

  // From here on what is submitted is dropped: for the end of the environment, when calls that go bring a close that
  // has waited for them.
  void BeginEnd() { ending_ = true; }
  // Lets go of everything without settling it, backlogs included, and of the thread-safe functions. For the end of the
  // environment, when no worker runs any more; nothing is submitted after it. Waits for calls that are started, which
  // takes as long as their media do.
  void Abandon();

  // Calls that have begun on workers and end on threads of media.   Thread: any.
  blk::CallsInFlight& started() override { return started_; }

  // Memory of devices, in the hands of the environment.
  LentMemory& lent() { return lent_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kTurn{1};
  static constexpr unsigned kAnswersALook = 128;  // between two looks at the clock
  static constexpr size_t kBytesAnAnswer = 8192;  // that take as long to copy as an answer without them

  // Allows some more in this turn, if it has not taken long already; in good time, asks to be told of the next one.
  bool HasTimeLeft();

  // hasRef() of turn_ and of wake_ as async_hooks show them: whether one keeps the event loop alive, which is how
  // Node's own handles answer those who look for open ones (jest --detectOpenHandles).
  static napi_value TurnHasRef(napi_env env, napi_callback_info info);
  static napi_value WakeHasRef(napi_env env, napi_callback_info info);

  // Called by the runtime in the turn after the one that asked, with a null env when the environment is closing: other
  // events have had their chance.
  static void OnTurn(napi_env env, napi_value callback, void* context, void* data);
  // Called by the runtime, several times in one turn perhaps, with a null env when the environment is closing.
  static void OnWake(napi_env env, napi_value callback, void* context, void* data);
  // Asks for OnWake().   Thread: any.
  void Wake();
  // Settles what is done, in one pass: reactions of the promises run when it is over.
  void SettleAll();
  // Gives those that wait for a turn theirs, for as long as this one lasts. -> as TurnWaiter::Turn().
  int ServeTurns();
  // Takes all that is done: the call that was first, which leads to the next one. The caller owns them.
  Call* TakeDone();
  // For a call that cannot be queued: runs it here if it must run, else settles it with `err`. Counts it out.
  void RunOrRefuse(PendingCall& call, int err);
  // Keeps the event loop alive from the first call on until the last one has settled.
  void CountPending(int change);

  const napi_env env_;
  napi_threadsafe_function turn_ = nullptr;
  napi_threadsafe_function wake_ = nullptr;
  // What of one device waits for a turn, oldest first, and never nothing.
  struct TurnLine {
    const blk::IntakeFlow* flow;
    std::list<std::shared_ptr<TurnWaiter>> waiters;
  };

  // Calls that wait, are queued, at work, or done, and not settled.
  size_t pending_ = 0;
  bool turn_asked_ = false;  // OnTurn() is still to come
  bool ending_ = false;
  Clock::time_point turn_began_ = Clock::now();
  unsigned answers_left_ = kAnswersALook;
  // Those in which calls wait: which of them a wake-up made room in is not known, so each pass looks at all.
  CallIntake* with_waiting_ = nullptr;
  std::list<TurnLine> for_turn_;  // the device whose turn it is first
  LentMemory lent_;
  blk::CallsInFlight started_;

  // Calls that are done, owned: the latest, which leads to the one before it. They settle in the order in which they
  // were done.
  std::atomic<Call*> done_{nullptr};
  std::atomic<bool> takes_{true};
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_COMPLETION_H_
