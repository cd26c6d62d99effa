// WorkerPool: states, counts and the invariant, step by step. Its threads wait at a gate, and the case says in their
// place what they do. What they do by themselves is in io_queue_test.cc and stress_queue.cc.
#include "core/workers/worker_pool.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/sync.h"
#include "core/base/units.h"
#include "core/workers/io_turns.h"
#include "test/support/check.h"
#include "test/support/io_task.h"
#include "test/support/no_threads.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using State = WorkerPool::State;
using Worker = WorkerPool::Worker;

class Rig {
 public:
  explicit Rig(size_t limit, std::chrono::milliseconds period = WorkerPool::kPeriod)
      : pool(
            limit, std::chrono::minutes(10), tasks_,
            [this](Worker& worker) {
              {
                std::lock_guard lock(mu_);
                workers_.push_back(&worker);
              }
              gate_.Wait();
            },
            period) {}
  ~Rig() {
    gate_.Open();
    WorkerPool::Workers workers = pool.Stop();
    WorkerPool::Join(workers);
    WorkerPool::Join(ended_);
  }

  // The `index`th worker that has come, which must have been started.
  Worker& At(size_t index) {
    gate_.AwaitArrivals(index + 1);
    std::lock_guard lock(mu_);
    return *workers_[index];
  }
  // Lets a worker sleep that is woken at once.
  void WakeUp(Worker& worker) { CHECK(Sleep(worker)); }
  // -> whether it goes on.
  bool Sleep(Worker& worker) {
    MutexLock lock(owner_);
    return pool.Sleep(worker, owner_);
  }
  // The end of a worker that Sleep() has let go. -> how many had ended before.
  size_t End(Worker& worker) {
    WorkerPool::Workers before = pool.TakeEnded(worker);
    const size_t count = before.size();
    ended_.splice(ended_.end(), before);
    return count;
  }
  void Put() {
    std::unique_ptr<IoTask> task = test::Make(counts_);
    CHECK(tasks_.Put(flow_, task));
  }
  // Takes one, without telling the pool.
  void Take() { tasks_.Take(); }

 private:
  test::Counts counts_;
  IoFlow flow_;
  IoTurns tasks_;
  test::Gate gate_;
  std::mutex mu_;
  std::vector<Worker*> workers_;
  WorkerPool::Workers ended_;
  Mutex owner_;

 public:
  WorkerPool pool;
};

TEST_CASE("a pool without workers and without tasks holds, and stops at once") {
  Rig rig(2);
  CHECK(rig.pool.Holds());
  CHECK(rig.pool.Stop().empty());
  CHECK(rig.pool.stopped());
  CHECK(rig.pool.Holds());
}

TEST_CASE("a task that nobody was woken for breaks the invariant") {
  Rig rig(2);
  rig.Put();
  CHECK_FALSE(rig.pool.Holds());
  CHECK(rig.pool.WakeOne());
  CHECK(rig.pool.Holds());
}

TEST_CASE("a task behind a worker that runs breaks the invariant, unless another one watches") {
  Rig rig(2);
  CHECK(rig.pool.WakeOne());
  Worker& first = rig.At(0);
  rig.WakeUp(first);
  CHECK(rig.pool.Count(State::kRunning) == 1);
  rig.Put();
  CHECK_FALSE(rig.pool.Holds());
  CHECK(rig.pool.WakeOne());
  CHECK(rig.pool.Count(State::kAsleep) == 1);  // a second one, to watch
  CHECK(rig.pool.Holds());
}

TEST_CASE("where there is but one worker, nobody watches it") {
  Rig rig(1);
  CHECK(rig.pool.WakeOne());
  rig.WakeUp(rig.At(0));
  CHECK(rig.pool.WakeOne());
  rig.Put();
  CHECK(rig.pool.Holds());
}

TEST_CASE("workers beyond the kept ones end one by one when fewer have done for a while") {
  constexpr size_t kMost = kKeptWorkers + 3;
  Rig rig(kMost, std::chrono::milliseconds(1));
  for (size_t i = 0; i < kMost; i++) {
    rig.Put();
    CHECK(rig.pool.WakeOne());
    rig.WakeUp(rig.At(i));
    rig.Take();
    rig.pool.Block(rig.At(i));
  }
  CHECK(rig.pool.Count(State::kBlocked) == kMost);
  for (size_t i = 0; i < kMost; i++) rig.pool.Unblock(rig.At(i));
  for (size_t i = 0; i < 3; i++) {
    CHECK_FALSE(rig.Sleep(rig.At(i)));
    CHECK(rig.End(rig.At(i)) == (i == 0 ? 0 : 1));
    CHECK(rig.pool.Holds());
  }
  CHECK(rig.pool.Count(State::kRunning) == kKeptWorkers);
  // A task that comes is for those that are left, and for others again.
  rig.Put();
  CHECK(rig.pool.WakeOne());
  CHECK(rig.pool.Holds());
}

TEST_CASE("demand: what was needed at once is kept for the period behind it, and no longer") {
  using std::chrono::seconds;
  WorkerDemand demand{seconds(5)};
  const WorkerDemand::Clock::time_point begin = WorkerDemand::Clock::now();
  CHECK(demand.Needed(begin, 2) == 2);
  CHECK(demand.until() == begin + seconds(5));
  demand.Note(9);
  CHECK(demand.Needed(begin + seconds(4), 0) == 9);
  CHECK(demand.Needed(begin + seconds(5), 1) == 9);
  CHECK(demand.Needed(begin + seconds(9), 1) == 9);
  CHECK(demand.Needed(begin + seconds(10), 0) == 1);
  demand.Note(7);
  // Long after: nobody was busy meanwhile.
  CHECK(demand.Needed(begin + seconds(100), 3) == 3);
}

TEST_CASE("each worker is in one state, and each state is counted") {
  Rig rig(2);
  CHECK(rig.pool.WakeOne());
  CHECK(rig.pool.Count(State::kAsleep) == 1);
  Worker& first = rig.At(0);
  rig.WakeUp(first);
  CHECK(rig.pool.Count(State::kAsleep) == 0);
  CHECK(rig.pool.Count(State::kRunning) == 1);
  CHECK(rig.pool.BeginSpin(first));
  CHECK(rig.pool.Count(State::kRunning) == 0);
  CHECK(rig.pool.Count(State::kSpinning) == 1);
  rig.pool.EndSpin(first);
  rig.pool.Block(first);
  CHECK(rig.pool.Count(State::kBlocked) == 1);
  rig.pool.Unblock(first);
  rig.pool.Unblock(first);  // a task that has not blocked is over as well
  CHECK(rig.pool.Count(State::kBlocked) == 0);
  CHECK(rig.pool.Count(State::kRunning) == 1);
  CHECK(rig.pool.Holds());
}

TEST_CASE("one worker at a time spins, and it gets the next task without anybody being woken") {
  Rig rig(2);
  CHECK(rig.pool.WakeOne());
  Worker& first = rig.At(0);
  rig.WakeUp(first);
  rig.pool.Block(first);
  CHECK(rig.pool.WakeOne());
  Worker& second = rig.At(1);
  rig.WakeUp(second);
  rig.pool.Unblock(first);
  CHECK(rig.pool.BeginSpin(first));
  CHECK_FALSE(rig.pool.BeginSpin(second));
  CHECK(rig.pool.Count(State::kRunning) == 1);
  rig.pool.Block(second);
  CHECK(rig.pool.WakeOne());
  rig.Put();
  CHECK(rig.pool.Holds());
  rig.pool.EndSpin(first);
  rig.Take();
  rig.pool.TaskTaken();
  CHECK(rig.pool.Holds());
}

TEST_CASE("one that blocks wakes another one for the tasks behind it, the watcher if there is one, and only one") {
  Rig rig(3);
  CHECK(rig.pool.WakeOne());
  Worker& first = rig.At(0);
  rig.WakeUp(first);
  for (int i = 0; i < 2; i++) {
    CHECK(rig.pool.WakeOne());
    rig.Put();
  }
  Worker& second = rig.At(1);  // was started to watch
  rig.pool.Block(first);
  CHECK(rig.pool.Holds());
  CHECK(rig.pool.WakeOne());  // one is on its way
  CHECK(rig.pool.Count(State::kAsleep) == 1);
  rig.WakeUp(second);
  CHECK(rig.pool.Count(State::kRunning) == 1);
  rig.Take();
  CHECK_FALSE(rig.pool.Holds());  // it was the watcher, and a task waits behind the one that it takes
  rig.pool.TaskTaken();
  CHECK(rig.pool.Count(State::kAsleep) == 1);
  CHECK(rig.pool.Holds());
}

TEST_CASE("when all are blocked and the limit is reached, the invariant holds and tasks wait") {
  Rig rig(2);
  for (size_t i = 0; i < 2; i++) {
    CHECK(rig.pool.WakeOne());
    Worker& worker = rig.At(i);
    rig.WakeUp(worker);
    rig.pool.Block(worker);
  }
  CHECK(rig.pool.WakeOne());
  rig.Put();
  CHECK(rig.pool.Count(State::kBlocked) == 2);
  CHECK(rig.pool.Holds());
  rig.pool.Unblock(rig.At(0));
  CHECK(rig.pool.Holds());
}

TEST_CASE("a host without threads: none at all is told, and those that there are serve alone") {
  Rig rig(2);
  {
    test::NoThreads none;
    CHECK_FALSE(rig.pool.WakeOne());
    CHECK(rig.pool.Holds());
  }
  CHECK(rig.pool.WakeOne());
  Worker& first = rig.At(0);
  rig.WakeUp(first);
  rig.Put();
  {
    test::NoThreads none;
    CHECK(rig.pool.WakeOne());
    CHECK(rig.pool.Holds());  // nobody watches, and nobody can
    rig.pool.Block(first);
    CHECK(rig.pool.Holds());
  }
  CHECK(rig.pool.WakeOne());  // there are threads again
  CHECK(rig.pool.Count(State::kAsleep) == 1);
  CHECK(rig.pool.Holds());
}

}  // namespace
}  // namespace blk
