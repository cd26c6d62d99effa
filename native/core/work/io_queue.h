// IoQueue: tasks that wait, a bounded number for each device, and the worker threads that run them, the only owner of
// threads in core. Workers start when they are needed. Devices take turns (io_turns.h); the tasks of one begin in the
// order they were put in; several run at once.
// Waking a thread costs more than copying a page, so one worker takes short tasks one after the other. A task that is
// about to wait says so, and another worker takes its place: while tasks are queued, one that does not wait is at work.
// Of a task that may or may not wait the queue learns from those before it, and one idle worker watches: nothing is
// held up for longer than kPatience by a task that was taken for a short one.
// Thread-safe. A task runs without any lock of the queue. Lock order: mu_ is a leaf.
// Model: the aio ring of rumpblk.c r1.31 lines 672-711 and rumpuser's aio thread; TryPut() never blocks, so that the
// JavaScript thread never waits for room (line 695).
#ifndef RUMPBLK_CORE_WORK_IO_QUEUE_H_
#define RUMPBLK_CORE_WORK_IO_QUEUE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/lane_lease.h"
#include "core/base/sync.h"
#include "core/work/io_task.h"
#include "core/work/io_turns.h"

namespace blk {

class IoQueue;

// A worker as the task that it runs sees it. Valid while the task runs, on its thread.
class IoWorker {
 public:
  // `queue` null: the thread that would have queued the task runs it itself.
  IoWorker(IoQueue* queue, Lane lane) : queue_(queue), lane_(lane) {}

  Lane lane() const { return lane_; }
  // Says that this task is about to wait, for a disk or a lock: what is queued behind it gets another worker. Once is
  // enough; nothing to say it to where the caller runs the task itself.
  void WillBlock();
  // Says that it may: the same when tasks that said so have lately taken long. How long this one takes, from here on,
  // is what the next ones are judged by.
  void MayBlock();

 private:
  friend class IoQueue;

  IoQueue* const queue_;
  const Lane lane_;
  bool blocked_ = false;
  std::optional<std::chrono::steady_clock::time_point> may_block_since_;
};

// Each worker is idle, which is asleep; blocked, when its task has said that it waits; or at work, which one on the
// lookout for more is too. While tasks are queued one worker is at work or summoned, unless none more can be had.
class IoQueue {
 public:
  // A worker that finds the same task at work after this takes over what is queued behind it.
  static constexpr std::chrono::milliseconds kPatience{2};

  // `depth` in tasks of a flow, those that run not counted; at most `workers` threads, none of which starts before the
  // first task. Each leases a lane of `lanes`, which outlives the queue; null: they use the shared one.
  // REQUIRES: depth and workers are not 0.
  IoQueue(size_t depth, size_t workers, std::chrono::milliseconds patience = kPatience, Lanes* lanes = nullptr)
      : depth_(depth), worker_limit_(workers), patience_(patience), lanes_(lanes) {}
  // Stops as Stop() does.
  ~IoQueue() { Stop(); }
  IoQueue(const IoQueue&) = delete;
  IoQueue& operator=(const IoQueue&) = delete;

  // What became of a put. kFull: `depth` tasks of the flow wait. kNoMemory: for the flow to grow. kNoThreads: no
  // worker runs and the host has no thread left. In all cases but kQueued the task is still the caller's.
  enum class Outcome { kQueued, kFull, kNoMemory, kNoThreads, kStopped };

  // Puts `task` behind those that wait in `flow`, or leaves it where it is. Never blocks on I/O.   Thread: any.
  // REQUIRES: the flow outlives the task and is used with no other queue.
  Outcome TryPut(IoFlow& flow, std::unique_ptr<IoTask>& task) EXCLUDES(mu_);

  // Lets running tasks end, however long that takes, drops those that have not begun, and joins the workers.
  // Idempotent.
  // REQUIRES: not called from a task.
  void Stop() EXCLUDES(mu_);

 private:
  friend class IoWorker;

  // A task that may wait and takes longer has waited, and so many behind it are thought to.
  static constexpr std::chrono::microseconds kShort{30};
  static constexpr unsigned kWary = 64;
  // Whether an idle worker looks after those at work; kWanted: one was told to and has not woken up yet.
  enum class Watch : uint8_t { kNone, kWanted, kKept };
  // How long a worker that has run out of tasks looks for more before it sleeps: waking it costs as much.
  static constexpr std::chrono::microseconds kLookout{5};

  Outcome PutLocked(IoFlow& flow, std::unique_ptr<IoTask>& task) REQUIRES(mu_);
  // Gets a worker going when tasks are queued and none is at work or on its way. -> false when none can be had at all.
  bool Summon() REQUIRES(mu_);
  // Starts one more, which is idle. -> false when the limit is reached or the host has no more threads.
  bool StartWorker() REQUIRES(mu_);
  // Counts a worker as blocked, and gets another one for what is queued.
  void EnterBlocked() EXCLUDES(mu_);
  // What a worker does from its start to Stop().
  void Work() EXCLUDES(mu_);
  // Waits for a task or the end, first awake, then asleep. Steps out of `lock`, which holds mu_.
  void AwaitTask(MutexLock& lock) REQUIRES(mu_);
  // Sleeps until this worker is summoned, until the one at work turns out to be stuck, or until the end.
  // REQUIRES: it is counted as idle, and is not any more on return.
  void Sleep() REQUIRES(mu_);
  // Sleeps, too, but looks at the others. -> whether they are stuck.
  bool KeepWatch() REQUIRES(mu_);
  // Gets somebody to keep watch.
  void Guard() REQUIRES(mu_);
  // Draws the lesson from a task that said MayBlock(). Without the lock: it is a guess.
  void Learn(std::chrono::nanoseconds took);

  Mutex mu_;
  // For sleeping workers: summoned, told to keep watch, or the end.
  CondVar not_empty_;
  // The tasks, and the flows that they are in.
  IoTurns turns_ GUARDED_BY(mu_);
  std::atomic<uint64_t> puts_{0};         // counted up behind each put, for workers that look without the lock
  bool lookout_ GUARDED_BY(mu_) = false;  // one of them does
  size_t idle_ GUARDED_BY(mu_) = 0;       // workers that wait for a task
  size_t blocked_ GUARDED_BY(mu_) = 0;    // workers whose task has said it will wait
  size_t summoned_ GUARDED_BY(mu_) = 0;   // of the idle ones, those that were notified to take tasks
  uint64_t taken_ GUARDED_BY(mu_) = 0;    // tasks that have left their flow
  Watch watch_ GUARDED_BY(mu_) = Watch::kNone;
  std::atomic<unsigned> wary_{0};  // tasks that may wait and are thought to
  bool stopped_ GUARDED_BY(mu_) = false;
  const size_t depth_;
  const size_t worker_limit_;
  const std::chrono::milliseconds patience_;
  Lanes* const lanes_;
  // Only ever more of them, until Stop().
  std::vector<std::thread> workers_ GUARDED_BY(mu_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_WORK_IO_QUEUE_H_
