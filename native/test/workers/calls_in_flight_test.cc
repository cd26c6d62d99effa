#include "core/workers/calls_in_flight.h"

#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "test/support/check.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::EventuallyTrue;
using Call = CallsInFlight::Call;

// A call that must have entered.
Call Enter(CallsInFlight& calls) {
  Result<Call> entered = calls.Enter();
  REQUIRE(entered.ok());
  return entered.Take();
}

TEST_CASE("calls are counted from Enter() to their end, which comes once") {
  CallsInFlight calls;
  CHECK(calls.count() == 0);
  Call first = Enter(calls);
  {
    const Call second = Enter(calls);
    CHECK(calls.count() == 2);
  }
  CHECK(calls.count() == 1);
  CHECK(first.under_way());
  first.End();
  CHECK_FALSE(first.under_way());
  first.End();
  CHECK(calls.count() == 0);
  CHECK_FALSE(calls.closed());
}

TEST_CASE("a call that is moved is the same call") {
  CallsInFlight calls;
  Call none;
  CHECK_FALSE(none.under_way());
  Call first = Enter(calls);
  Call second = std::move(first);
  CHECK(calls.count() == 1);
  CHECK(second.under_way());
  Call other = Enter(calls);
  other = std::move(second);  // what was in its place is over
  CHECK(calls.count() == 1);
  Call& same = other;
  other = std::move(same);
  CHECK(other.under_way());
  CHECK(calls.count() == 1);
  other = Call();
  CHECK(calls.count() == 0);
}

TEST_CASE("after each kind of close a call is EBADF") {
  for (const int kind : {0, 1, 2}) {
    CallsInFlight calls;
    if (kind == 0) CHECK(calls.Close([] {}));
    if (kind == 1) calls.CloseAndWait();
    if (kind == 2) CHECK(calls.CloseIdle().ok());
    CHECK(calls.closed());
    CHECK(calls.Enter().status().err == EBADF);
    CHECK(calls.count() == 0);
  }
}

TEST_CASE("Close without a call under way calls back before it returns; with some, the end of the last one does") {
  int called = 0;
  CallsInFlight idle;
  CHECK(idle.Close([&] { called++; }));
  CHECK(called == 1);

  CallsInFlight busy;
  Call first = Enter(busy);
  Call second = Enter(busy);
  CHECK(busy.Close([&] { called++; }));
  CHECK(busy.Enter().status().err == EBADF);
  second.End();
  CHECK(called == 1);
  first.End();
  CHECK(called == 2);
}

TEST_CASE("a second Close is told so, and calls back nothing") {
  int first = 0;
  int second = 0;
  CallsInFlight calls;
  Call call = Enter(calls);
  CHECK(calls.Close([&] { first++; }));
  CHECK_FALSE(calls.Close([&] { second++; }));
  call.End();
  CHECK_FALSE(calls.Close([&] { second++; }));
  CHECK(first == 1);
  CHECK(second == 0);
}

TEST_CASE("what Close calls may destroy the object") {
  for (const bool under_way : {false, true}) {
    auto calls = std::make_unique<CallsInFlight>();
    std::optional<Call> call;
    if (under_way) call = Enter(*calls);
    calls->Close([&] { calls.reset(); });
    if (under_way) {
      CHECK(calls != nullptr);
      call->End();
    }
    CHECK(calls == nullptr);
  }
}

TEST_CASE("CloseIdle closes nothing under a call, and closes again what is closed") {
  CallsInFlight calls;
  {
    const Call call = Enter(calls);
    const Status status = calls.CloseIdle();
    CHECK(status.err == EBUSY);
    CHECK(status.op == Op::kClose);
    CHECK_FALSE(calls.closed());
    CHECK(calls.Enter().ok());
    CHECK(calls.Close([] {}));
    CHECK(calls.CloseIdle().err == EBUSY);
  }
  CHECK(calls.CloseIdle().ok());
  CHECK(calls.CloseIdle().ok());
}

TEST_CASE("CloseAndWait waits for calls, however many wait, and Close behind it calls back") {
  test::Watchdog watchdog("close and wait");
  CallsInFlight calls;
  std::optional<Call> call = Enter(calls);
  std::atomic<int> over{0};
  std::atomic<bool> ended{false};
  std::atomic<bool> early{false};
  std::vector<std::thread> waiters;
  for (int i = 0; i < 3; i++) {
    waiters.emplace_back([&] {
      calls.CloseAndWait();
      if (!ended) early = true;
      over++;
    });
  }
  CHECK(EventuallyTrue([&] { return calls.closed(); }));
  CHECK(calls.Enter().status().err == EBADF);
  int called = 0;
  CHECK(calls.Close([&] { called++; }));
  CHECK(over == 0);
  ended = true;
  call.reset();
  for (std::thread& waiter : waiters) waiter.join();
  CHECK_FALSE(early);
  CHECK(over == 3);
  CHECK(called == 1);
}

// ---- many threads

// What calls need and a close takes away. Plain data: a call that is under way beside the end of it is a race for
// ThreadSanitizer, and memory that is gone for AddressSanitizer.
struct Medium {
  std::vector<int> bytes = std::vector<int>(4, 1);
  std::atomic<uint64_t> moved{0};
};

// One call after the other, until one is refused. Some end on another thread than they began on.
uint64_t CallOver(CallsInFlight& calls, Medium*& medium) {
  uint64_t done = 0;
  for (;; done++) {
    Result<Call> entered = calls.Enter();
    if (!entered.ok()) {
      CHECK(entered.status().err == EBADF);
      return done;
    }
    if (done % 64 == 63) {
      std::thread([&medium, call = entered.Take()] { medium->moved += medium->bytes[0]; }).join();
    } else {
      medium->moved += medium->bytes[done % 4];
    }
  }
}

TEST_CASE("of many threads none has a call under way when the close calls back, and each call has been seen whole") {
  test::Watchdog watchdog("close storm");
  constexpr size_t kCallers = 4;
  for (int round = 0; round < 40; round++) {
    CallsInFlight calls;
    Medium* medium = new Medium;
    std::atomic<uint64_t> entered{0}, moved{0};
    std::atomic<int> called{0}, closes{0};
    std::atomic<size_t> begun{0};
    test::RunTogether(kCallers + 2, [&](size_t index) {
      if (index < kCallers) {
        begun++;
        entered += CallOver(calls, medium);
        return;
      }
      while (begun < kCallers) std::this_thread::yield();
      const bool first = calls.Close([&] {
        moved += medium->moved;
        delete std::exchange(medium, nullptr);
        called++;
      });
      if (first) closes++;
    });
    CHECK(closes == 1);
    CHECK(called == 1);
    CHECK(moved == entered);
    CHECK(medium == nullptr);
  }
}

TEST_CASE("who waits for the last call may destroy the object at once") {
  test::Watchdog watchdog("close and destroy");
  constexpr size_t kCallers = 3;
  for (int round = 0; round < 200; round++) {
    auto calls = std::make_unique<CallsInFlight>();
    std::vector<Call> under_way;
    for (size_t i = 0; i < kCallers; i++) under_way.push_back(Enter(*calls));
    test::RunTogether(kCallers + 1, [&](size_t index) {
      if (index < kCallers) {
        under_way[index].End();
      } else {
        calls->CloseAndWait();
        calls.reset();
      }
    });
    CHECK(calls == nullptr);
  }
}

}  // namespace
}  // namespace blk
