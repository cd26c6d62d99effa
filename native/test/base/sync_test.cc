#include "core/base/sync.h"

#include <chrono>
#include <thread>
#include <type_traits>

#include "test/support/check.h"
#include "test/support/threads.h"

namespace blk {
namespace {

static_assert(!std::is_copy_constructible_v<Mutex>);
static_assert(!std::is_copy_constructible_v<MutexLock>);

TEST_CASE("a mutex keeps increments from being lost") {
  constexpr int kThreads = 4;
  constexpr int kEach = 20000;
  Mutex mu;
  int sum = 0;
  test::RunTogether(kThreads, [&](size_t) {
    for (int i = 0; i < kEach; i++) {
      MutexLock lock(mu);
      sum++;
    }
  });
  CHECK(sum == kThreads * kEach);
}

TEST_CASE("looking ends with the first time that it is done, and is not asked again, or at its limit") {
  int asked = 0;
  const bool found = SpinUntil(std::chrono::seconds(10), [&] { return ++asked == 3; });
  const bool alone = std::thread::hardware_concurrency() == 1;
  CHECK(found == !alone);
  CHECK(asked == (alone ? 0 : 3));
  const auto began = std::chrono::steady_clock::now();
  CHECK_FALSE(SpinUntil(std::chrono::milliseconds(1), [] { return false; }));
  CHECK((alone || std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(1)));
}

TEST_CASE("a mutex that is held for longer than a thread looks is had when it is given back") {
  test::Watchdog watchdog("sync: held for long");
  Mutex mu;
  bool given_back = false;
  bool seen = false;
  MutexLock lock(mu);
  std::thread other([&] {
    MutexLock inner(mu);
    seen = given_back;
  });
  // Long enough that the other one sleeps, as a rule; if it has not even begun by then, it sees the same.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  given_back = true;
  lock.Unlock();
  other.join();
  CHECK(seen);
}

TEST_CASE("a lock that stepped out lets another thread in, and may end its scope outside") {
  test::Watchdog watchdog("sync: step out");
  Mutex mu;
  int seen = 0;
  {
    MutexLock lock(mu);
    lock.Unlock();
    std::thread([&] {
      MutexLock inner(mu);
      seen = 1;
    }).join();
    lock.Lock();
    CHECK(seen == 1);
    lock.Unlock();
  }
  MutexLock again(mu);  // would never return if the scope above had left it locked
  seen = 2;
  CHECK(seen == 2);
}

TEST_CASE("a condition variable gives the mutex away while it waits and has it again afterwards") {
  test::Watchdog watchdog("sync: wait");
  Mutex mu;
  CondVar changed;
  int stage = 0;
  std::thread other([&] {
    MutexLock lock(mu);
    while (stage != 1) changed.Wait(mu);
    stage = 2;
    changed.NotifyAll();
  });
  {
    MutexLock lock(mu);
    stage = 1;
    changed.NotifyOne();
    while (stage != 2) changed.Wait(mu);
    CHECK(stage == 2);
  }
  other.join();
}

}  // namespace
}  // namespace blk
