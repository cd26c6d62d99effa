#include "core/workers/intake.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "test/support/check.h"
#include "test/support/threads.h"

namespace blk {
namespace {

constexpr size_t kPage = 4096;

// What became of the tasks, by their names.
struct Log {
  Mutex mu;
  std::vector<std::string> run;

  std::vector<std::string> Run() {
    MutexLock lock(mu);
    return run;
  }
  void Add(const std::string& name) {
    MutexLock lock(mu);
    run.push_back(name);
  }
};

struct Rig {
  explicit Rig(size_t limit, size_t depth = 1024) : memory(limit), queue(depth, 1), intake(queue, memory) {}
  ~Rig() {
    queue.Stop();
    IoTaskList left;
    intake.TakeAll(left);
  }
  Intake::Outcome Put(IntakeFlow& flow, std::unique_ptr<IntakeTask> task,
                      Intake::Place place = Intake::Place::kBehind) {
    return intake.Put(flow, task, place);
  }
  void Refill() {
    IoTaskList ended;
    intake.Refill(ended);
  }
  // Refills until so many tasks have run.
  void Await(size_t count) {
    while (log.Run().size() < count) {
      Refill();
      std::this_thread::yield();
    }
  }

  Log log;
  RequestMemory memory;
  IoQueue queue;
  Intake intake;
};

class Request final : public IntakeTask {
 public:
  Request(Rig& rig, std::string name, size_t size) : rig_(rig), name_(std::move(name)), size_(size) {}
  ~Request() override { rig_.memory.Give(std::move(memory_), size_); }
  size_t MemoryNeeded() const override { return size_; }
  void Wait() override { waited = true; }
  bool Prepare(AlignedBuffer memory) override {
    memory_ = std::move(memory);
    return !ends;
  }
  void Run(std::unique_ptr<IoTask> self, IoWorker&) override {
    // Its memory is back before it counts as run.
    Log& log = rig_.log;
    const std::string name = name_;
    self.reset();
    log.Add(name);
  }
  bool waited = false;
  bool ends = false;

 private:
  Rig& rig_;
  const std::string name_;
  const size_t size_;
  AlignedBuffer memory_;
};

std::unique_ptr<Request> Of(Rig& rig, const std::string& name, size_t size = kPage) {
  return std::make_unique<Request>(rig, name, size);
}

TEST_CASE("issue 13: who finds no memory waits, and devices take turns for what comes back") {
  Rig rig(kPage);
  AlignedBuffer held;
  REQUIRE(rig.memory.Take(kPage, &held) == RequestMemory::Outcome::kTaken);
  IntakeFlow flooded;
  IntakeFlow other;
  for (int i = 0; i < 10; i++) {
    auto task = Of(rig, "flood" + std::to_string(i));
    Request& request = *task;
    CHECK(rig.Put(flooded, std::move(task)) == Intake::Outcome::kTaken);
    CHECK(request.waited);
  }
  CHECK(rig.Put(other, Of(rig, "other0")) == Intake::Outcome::kTaken);
  CHECK(rig.Put(other, Of(rig, "other1")) == Intake::Outcome::kTaken);
  CHECK(rig.intake.waiting());
  CHECK(rig.log.Run().empty());
  rig.memory.Give(std::move(held), kPage);
  rig.Await(12);
  const auto run = rig.log.Run();
  CHECK(std::vector<std::string>(run.begin(), run.begin() + 5) ==
        std::vector<std::string>{"flood0", "other0", "flood1", "other1", "flood2"});
  CHECK(run.back() == "flood9");
  CHECK(!rig.intake.waiting());
  CHECK(rig.memory.peak() == kPage);
}

TEST_CASE("issue 13: a small request does not overtake one that waits for more") {
  Rig rig(4 * kPage);
  AlignedBuffer held;
  REQUIRE(rig.memory.Take(2 * kPage, &held) == RequestMemory::Outcome::kTaken);
  IntakeFlow first;
  IntakeFlow second;
  CHECK(rig.Put(first, Of(rig, "large", 4 * kPage)) == Intake::Outcome::kTaken);
  CHECK(rig.Put(second, Of(rig, "small")) == Intake::Outcome::kTaken);
  rig.Refill();
  rig.Refill();
  CHECK(rig.log.Run().empty());
  // What needs no memory does not wait for it.
  CHECK(rig.Put(second, Of(rig, "none", 0), Intake::Place::kAhead) == Intake::Outcome::kTaken);
  rig.Await(1);
  CHECK(rig.log.Run() == std::vector<std::string>{"none"});
  rig.memory.Give(std::move(held), 2 * kPage);
  rig.Await(3);
  CHECK(rig.log.Run() == std::vector<std::string>{"none", "large", "small"});
}

TEST_CASE("what has begun goes on before others of its device, and not before other devices") {
  Rig rig(kPage);
  AlignedBuffer held;
  REQUIRE(rig.memory.Take(kPage, &held) == RequestMemory::Outcome::kTaken);
  IntakeFlow first;
  IntakeFlow second;
  rig.Put(first, Of(rig, "a"));
  rig.Put(second, Of(rig, "b"));
  rig.Put(first, Of(rig, "a begun"), Intake::Place::kAhead);
  rig.Put(second, Of(rig, "b begun"), Intake::Place::kAhead);
  rig.memory.Give(std::move(held), kPage);
  rig.Await(4);
  CHECK(rig.log.Run() == std::vector<std::string>{"a begun", "b begun", "a", "b"});
}

TEST_CASE("with memory and without room it waits too, with its memory") {
  Rig rig(16 * kPage, 1);
  test::Gate gate;
  IntakeFlow flow;
  class Blocker final : public IntakeTask {
   public:
    explicit Blocker(test::Gate& gate) : gate_(gate) {}
    void Run(std::unique_ptr<IoTask> self, IoWorker&) override {
      gate_.Wait();
      self.reset();
    }

   private:
    test::Gate& gate_;
  };
  rig.Put(flow, std::make_unique<Blocker>(gate));
  for (int i = 0; i < 5; i++) rig.Put(flow, Of(rig, std::to_string(i)));
  CHECK(rig.memory.used() == 5 * kPage);
  gate.Open();
  rig.Await(5);
  CHECK(rig.log.Run() == std::vector<std::string>{"0", "1", "2", "3", "4"});
}

TEST_CASE("one that ends at its turn leaves its place to the next") {
  Rig rig(kPage);
  IntakeFlow flow;
  auto ending = Of(rig, "ending");
  ending->ends = true;
  CHECK(rig.Put(flow, std::move(ending)) == Intake::Outcome::kEnded);
  AlignedBuffer held;
  REQUIRE(rig.memory.Take(kPage, &held) == RequestMemory::Outcome::kTaken);
  ending = Of(rig, "ending");
  ending->ends = true;
  CHECK(rig.Put(flow, std::move(ending)) == Intake::Outcome::kTaken);
  rig.Put(flow, Of(rig, "next"));
  rig.memory.Give(std::move(held), kPage);
  rig.Await(1);
  CHECK(rig.log.Run() == std::vector<std::string>{"next"});
}

TEST_CASE("a queue that has stopped takes nothing and drops what waits") {
  Rig rig(kPage);
  IntakeFlow flow;
  AlignedBuffer held;
  REQUIRE(rig.memory.Take(kPage, &held) == RequestMemory::Outcome::kTaken);
  rig.Put(flow, Of(rig, "waits"));
  rig.queue.Stop();
  rig.memory.Give(std::move(held), kPage);
  rig.Refill();
  CHECK(!rig.intake.waiting());
  CHECK(rig.Put(flow, Of(rig, "late")) == Intake::Outcome::kStopped);
  CHECK(rig.memory.used() == 0);
  CHECK(rig.log.Run().empty());
}

}  // namespace
}  // namespace blk
