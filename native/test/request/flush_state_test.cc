#include "core/request/flush_state.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "test/support/check.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::EventuallyTrue;

Status Good() { return Status::Ok(); }

TEST_CASE("a flush with nothing dirty makes no sync") {
  FlushState flush;
  bool reached = true;
  int syncs = 0;
  const auto sync = [&] { return syncs++, Status::Ok(); };
  CHECK(flush.Sync(sync, &reached).ok());
  CHECK(syncs == 0);
  CHECK_FALSE(reached);
  flush.MarkDirty();
  flush.MarkDirty();
  CHECK(flush.Sync(sync, &reached).ok());
  CHECK(syncs == 1);
  CHECK(reached);
  CHECK(flush.Sync(sync, &reached).ok());
  CHECK(syncs == 1);
  CHECK_FALSE(reached);
}

TEST_CASE("a write that is marked while the sync runs needs another one") {
  FlushState flush;
  bool reached = false;
  int syncs = 0;
  flush.MarkDirty();
  CHECK(flush
            .Sync(
                [&] {
                  flush.MarkDirty();
                  return syncs++, Status::Ok();
                },
                &reached)
            .ok());
  CHECK(flush.Sync([&] { return syncs++, Status::Ok(); }, &reached).ok());
  CHECK(syncs == 2);
  CHECK(reached);
}

TEST_CASE("a failed sync is the answer of every later flush, and the host is not asked again") {
  FlushState flush;
  bool reached = false;
  int syncs = 0;
  flush.MarkDirty();
  const Status failed = flush.Sync([&] { return syncs++, Status{EIO, Op::kFdatasync}; }, &reached);
  CHECK(failed.err == EIO);
  CHECK(failed.op == Op::kFdatasync);
  CHECK(reached);
  CHECK(flush.sticky().err == EIO);
  for (int i = 0; i < 2; i++) {
    flush.MarkDirty();
    const Status later = flush.Sync([&] { return syncs++, Status::Ok(); }, &reached);
    CHECK(later.err == EIO);
    CHECK_FALSE(reached);
  }
  CHECK(syncs == 1);
}

TEST_CASE("an error noted by others sticks, and the first one stays") {
  FlushState flush;
  CHECK(flush.sticky().ok());
  CHECK(flush.Fail({EIO, Op::kMsync}).err == EIO);
  CHECK(flush.Fail({ENOSPC, Op::kFdatasync}).err == ENOSPC);  // that request's own error
  CHECK(flush.sticky().err == EIO);
  CHECK(flush.sticky().op == Op::kMsync);
  bool reached = true;
  CHECK(flush.Sync(Good, &reached).err == EIO);
  CHECK_FALSE(reached);
}

TEST_CASE("a sync that was interrupted without end sticks to nobody: the next flush makes one") {
  FlushState flush;
  bool reached = false;
  flush.MarkDirty();
  CHECK(flush.Sync([] { return Status{EINTR, Op::kFdatasync}; }, &reached).err == EINTR);
  CHECK(reached);
  CHECK(flush.sticky().ok());
  CHECK(flush.Fail({EINTR, Op::kMsync}).err == EINTR);
  CHECK(flush.sticky().ok());
  CHECK(flush.Sync(Good, &reached).ok());
  CHECK(reached);
}

TEST_CASE("Reset ends the error; what no sync has covered stays dirty") {
  FlushState flush;
  bool reached = true;
  flush.MarkDirty();
  CHECK(flush.Fail({EIO, Op::kMsync}).err == EIO);
  flush.Reset();
  CHECK(flush.sticky().ok());
  CHECK(flush.Sync(Good, &reached).ok());
  CHECK(reached);
  flush.Reset();
  CHECK(flush.Sync(Good, &reached).ok());
  CHECK_FALSE(reached);
}

TEST_CASE("flushes that come while a sync runs share the next one") {
  test::Watchdog watchdog("shared sync");
  constexpr int kLate = 4;
  FlushState flush;
  test::Gate first;
  std::atomic<int> syncs{0}, reached_host{0}, ok{0}, entered{0};
  const auto run = [&] {
    bool reached = false;
    entered++;
    ok += flush
              .Sync(
                  [&] {
                    if (syncs++ == 0) first.Wait();
                    return Status::Ok();
                  },
                  &reached)
              .ok();
    reached_host += reached;
  };
  flush.MarkDirty();
  std::vector<std::thread> threads;
  threads.emplace_back(run);
  first.AwaitArrivals(1);
  flush.MarkDirty();  // the sync that runs may have begun before this write
  for (int i = 0; i < kLate; i++) threads.emplace_back(run);
  CHECK(EventuallyTrue([&] { return entered == 1 + kLate; }));
  CHECK(syncs == 1);  // nobody syncs beside the one that runs
  first.Open();
  for (std::thread& thread : threads) thread.join();
  CHECK(ok == 1 + kLate);
  CHECK(syncs == 2);
  CHECK(reached_host == 2);
}

TEST_CASE("a sync that fails is the answer of those who waited for it, without a try of their own") {
  test::Watchdog watchdog("shared failure");
  FlushState flush;
  test::Gate gate;
  std::atomic<int> syncs{0}, failed{0}, entered{0};
  const auto run = [&] {
    bool reached = false;
    entered++;
    const Status status = flush.Sync(
        [&] {
          syncs++;
          gate.Wait();
          return Status{EIO, Op::kFdatasync};
        },
        &reached);
    failed += status.err == EIO;
  };
  flush.MarkDirty();
  std::thread first(run);
  gate.AwaitArrivals(1);
  flush.MarkDirty();
  std::thread second(run), third(run);
  CHECK(EventuallyTrue([&] { return entered == 3; }));
  gate.Open();
  first.join();
  second.join();
  third.join();
  CHECK(failed == 3);
  CHECK(syncs == 1);
}

// A thread of this process that waits for something, and does not run.
bool IsAsleep(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string stat;
  std::getline(file, stat);
  return stat.rfind(") S ") != std::string::npos;
}

TEST_CASE("a loss that a medium tells once is told to each flush that waited, and to none behind them") {
  test::Watchdog watchdog("shared loss");
  FlushState flush;
  test::Gate gate;
  std::atomic<int> syncs{0}, told{0};
  std::array<std::atomic<pid_t>, 2> waiters{};
  const auto run = [&](std::atomic<pid_t>* self) {
    bool reached = false;
    if (self != nullptr) *self = static_cast<pid_t>(syscall(SYS_gettid));
    const Status status = flush.Sync(
        [&] {
          if (++syncs > 1) return Status::Ok();
          gate.Wait();
          return Status{EIO, Op::kFlush, Why::kNbdUnflushed};
        },
        &reached);
    told += status.why == Why::kNbdUnflushed;
  };
  flush.MarkDirty();
  std::thread first(run, nullptr);
  gate.AwaitArrivals(1);
  std::thread second(run, &waiters[0]), third(run, &waiters[1]);
  // One after the other, and the first of them again: none has the lock, which the other could wait for.
  CHECK(EventuallyTrue([&] {
    return waiters[0] != 0 && waiters[1] != 0 && IsAsleep(waiters[0]) && IsAsleep(waiters[1]) && IsAsleep(waiters[0]);
  }));
  gate.Open();
  first.join();
  second.join();
  third.join();
  CHECK(told == 3);
  CHECK(syncs == 1);
  CHECK(flush.sticky().ok());
  run(nullptr);
  CHECK(told == 3);
  CHECK(syncs == 2);
}

TEST_CASE("an error that comes from elsewhere during a good sync is told by that flush") {
  FlushState flush;
  bool reached = false;
  flush.MarkDirty();
  const Status status = flush.Sync(
      [&] {
        CHECK(flush.Fail({EIO, Op::kMsync}).err == EIO);
        return Status::Ok();
      },
      &reached);
  CHECK(status.err == EIO);
  CHECK(status.op == Op::kMsync);
}

// Each thread marks and flushes: when its flush returns, a sync that began after its mark has ended.
TEST_CASE("no flush returns before a sync that began after its write") {
  test::Watchdog watchdog("flush covers");
  constexpr int kRounds = 2000;
  FlushState flush;
  std::atomic<uint64_t> clock{0}, covered{0};
  std::atomic<int> wrong{0};
  test::RunTogether(4, [&](size_t) {
    for (int i = 0; i < kRounds; i++) {
      const uint64_t mine = ++clock;
      flush.MarkDirty();
      bool reached = false;
      const Status status = flush.Sync(
          [&] {
            const uint64_t began = clock.load();
            std::this_thread::yield();
            uint64_t seen = covered.load();
            while (seen < began && !covered.compare_exchange_weak(seen, began)) {
            }
            return Status::Ok();
          },
          &reached);
      wrong += !status.ok() || covered.load() < mine;
    }
  });
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace blk
