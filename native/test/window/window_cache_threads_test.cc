// WindowCache when requests wait for each other.

#include <atomic>
#include <memory>
#include <thread>

#include "test/support/check.h"
#include "test/support/rig.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Call;
using test::CallRecord;
using test::EventuallyTrue;
using test::kMiB;
using test::Rig;

TEST_CASE("B9: every waiter goes on when the windows they wait for are let go") {
  for (const size_t waiters : {2, 5}) {
    test::Watchdog watchdog("B9");
    Rig rig(16 * kMiB);
    auto cache = rig.Windows(kMiB, 1);
    auto held = std::make_unique<WindowRef>(cache->Acquire({0}, kSharedLane).Take());
    std::atomic<size_t> served{0};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < waiters; i++) {
      threads.emplace_back([&, i] { served += cache->Acquire({(i + 1) * kMiB}, kSharedLane).ok(); });
    }
    CHECK(EventuallyTrue([&] { return rig.Count(Counter::kWindowBusy) == waiters; }));
    CHECK(served == 0);
    held.reset();  // one release: the seed wakes one waiter and forgets the others
    for (std::thread& thread : threads) thread.join();
    CHECK(served == waiters);
    CHECK(rig.Count(Counter::kWindowMisses) == waiters);
  }
}

TEST_CASE("B9: one release serves all that wait for the window that is let go") {
  test::Watchdog watchdog("B9 same window");
  Rig rig(16 * kMiB);
  auto cache = rig.Windows(kMiB, 1);
  auto held = std::make_unique<WindowRef>(cache->Acquire({0}, kSharedLane).Take());
  std::atomic<size_t> served{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 4; i++) threads.emplace_back([&] { served += cache->Acquire({7 * kMiB}, kSharedLane).ok(); });
  CHECK(EventuallyTrue([&] { return rig.Count(Counter::kWindowBusy) == 4; }));
  held.reset();
  for (std::thread& thread : threads) thread.join();
  CHECK(served == 4);
  CHECK(rig.Count(Counter::kWindowMisses) == 1);
  CHECK(rig.Count(Counter::kWindowHits) == 1 + 3);
}

// Stops the first mapping of window `index` at a gate.
struct SlowMapping {
  SlowMapping(Rig& rig, uint64_t index) {
    rig.host.before = [this, index](const CallRecord& call) {
      if (call.call == Call::kMmap && call.offset == index * kMiB && !met.exchange(true)) gate.Wait();
    };
  }
  std::atomic<bool> met{false};
  test::Gate gate;
};

TEST_CASE("B10: a window that is being mapped is waited for, not mapped again") {
  test::Watchdog watchdog("B10 duplicate");
  Rig rig(16 * kMiB);
  auto cache = rig.Windows(kMiB, 4);
  SlowMapping slow(rig, 9);
  const uint64_t maps = rig.host.calls(Call::kMmap);
  std::atomic<size_t> served{0};
  std::thread first([&] { served += cache->Acquire({9 * kMiB}, kSharedLane).ok(); });
  slow.gate.AwaitArrivals(1);
  std::thread second([&] { served += cache->Acquire({9 * kMiB + 512}, kSharedLane).ok(); });
  CHECK(EventuallyTrue([&] { return rig.Count(Counter::kWindowBusy) == 1; }));
  CHECK(served == 0);
  slow.gate.Open();
  first.join();
  second.join();
  CHECK(served == 2);
  CHECK(rig.host.calls(Call::kMmap) == maps + 1);
  CHECK(rig.Count(Counter::kWindowMisses) == 1);
  CHECK(rig.Count(Counter::kWindowHits) == 1);
  CHECK(cache->List().size() == 4);
}

TEST_CASE("a mapping in progress holds up nobody who wants another window") {
  test::Watchdog watchdog("lock held across mmap");
  Rig rig(16 * kMiB);
  auto cache = rig.Windows(kMiB, 4);
  SlowMapping slow(rig, 9);
  std::thread first([&] { static_cast<void>(cache->Acquire({9 * kMiB}, kSharedLane)); });
  slow.gate.AwaitArrivals(1);
  CHECK(cache->Acquire({3 * kMiB}, kSharedLane).ok());   // a hit
  CHECK(cache->Acquire({12 * kMiB}, kSharedLane).ok());  // another mapping
  CHECK(cache->List().size() == 3);                      // the one in progress is not listed
  slow.gate.Open();
  first.join();
  CHECK(cache->List().size() == 4);
}

TEST_CASE("B10: with one window, a second thread waits while it is being mapped") {
  test::Watchdog watchdog("B10 count 1");
  Rig rig(16 * kMiB);
  rig.file.Fill();
  auto cache = rig.Windows(kMiB, 1);
  SlowMapping slow(rig, 9);
  std::atomic<size_t> right{0};
  std::thread first([&] {
    const WindowRef window = cache->Acquire({9 * kMiB}, kSharedLane).Take();
    right += *window.At({9 * kMiB}) == test::PatternByte(9 * kMiB);
  });
  slow.gate.AwaitArrivals(1);
  std::thread second([&] {  // the seed finds an empty list here
    const WindowRef window = cache->Acquire({4 * kMiB}, kSharedLane).Take();
    right += *window.At({4 * kMiB}) == test::PatternByte(4 * kMiB);
  });
  CHECK(EventuallyTrue([&] { return rig.Count(Counter::kWindowBusy) == 1; }));
  slow.gate.Open();
  first.join();
  second.join();
  CHECK(right == 2);
}

TEST_CASE("B10: a mapping that fails wakes those who wait for a window") {
  test::Watchdog watchdog("B10 failure wakes");
  Rig rig(16 * kMiB);
  auto cache = rig.Windows(kMiB, 1);
  SlowMapping slow(rig, 9);
  rig.host.Fail(Call::kMmap, ENOMEM);
  std::atomic<int> failed{0}, served{0};
  std::thread first([&] { failed += cache->Acquire({9 * kMiB}, kSharedLane).status().err == ENOMEM; });
  slow.gate.AwaitArrivals(1);
  std::thread same([&] { served += cache->Acquire({9 * kMiB}, kSharedLane).ok(); });
  std::thread other([&] { served += cache->Acquire({4 * kMiB}, kSharedLane).ok(); });
  CHECK(EventuallyTrue([&] { return rig.Count(Counter::kWindowBusy) == 2; }));
  slow.gate.Open();
  first.join();
  same.join();
  other.join();
  CHECK(failed == 1);
  CHECK(served == 2);
  CHECK(rig.host.mappings() == 1);
}

TEST_CASE("B10: two threads and one window, many times over") {
  test::Watchdog watchdog("B10 two threads");
  constexpr uint64_t kRounds = 1500;
  Rig rig(4 * kMiB);
  rig.file.Fill();
  auto cache = rig.Windows(kMiB, 1);
  std::atomic<uint64_t> right{0};
  test::RunTogether(2, [&](size_t index) {
    for (uint64_t i = 0; i < kRounds; i++) {
      const uint64_t at = ((i + index) % 4) * kMiB + i;
      auto window = cache->Acquire({at}, kSharedLane);
      if (window.ok()) right += *window.value().At({at}) == test::PatternByte(at);
    }
  });
  CHECK(right == 2 * kRounds);
  CHECK(rig.Count(Counter::kWindowHits) + rig.Count(Counter::kWindowMisses) == 2 * kRounds);
  CHECK(rig.host.mappings() == 1);
  CHECK(rig.host.misuses() == 0);
}

}  // namespace
}  // namespace blk
