#include "core/workers/hold_line.h"

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "test/support/check.h"
#include "test/support/scarce_memory.h"

namespace blk {
namespace {

// A request that is done, and notes when it is let go.
struct Done {
  Done(std::shared_ptr<HoldLine> line, uint64_t delay, std::optional<uint64_t> tag, const std::atomic<bool>& ended)
      : ticket(std::move(line), delay, tag, ended) {}
  bool Hold() {
    return ticket.Hold(
        &cancel, [](void* self) { static_cast<Done*>(self)->gone.store(true); }, this);
  }

  std::atomic<bool> cancel{false}, gone{false};
  HoldTicket ticket;
};

TEST_CASE("a virtual clock lets go what is due, one after the other, and is quiet while all is held") {
  const auto line = std::make_shared<HoldLine>(HoldLine::Clock::kVirtual, 5);
  const std::atomic<bool> ended{false};
  Done late(line, 20, std::nullopt, ended), early(line, 10, std::nullopt, ended), none(line, 0, std::nullopt, ended);
  CHECK(!line->quiet());
  CHECK(!none.Hold());
  CHECK(late.Hold());
  CHECK(early.Hold());
  CHECK(line->NextDue() == std::optional<uint64_t>(15));
  CHECK(line->Advance(100));
  CHECK(early.gone);
  CHECK(!late.gone);
  CHECK(line->now() == 15);
  CHECK(line->Advance(100));
  CHECK(late.gone);
  CHECK(!line->Advance(100));
  CHECK(line->now() == 100);
}

TEST_CASE("a hang ends by its tag, by the end of its plan, or when it is called off") {
  const auto line = std::make_shared<HoldLine>(HoldLine::Clock::kVirtual);
  std::atomic<bool> ended{false};
  const std::atomic<bool> other{false};
  Done tagged(line, 0, 1, ended), timed(line, 10, 1, ended), foreign(line, 0, 1, other), off(line, 0, 2, ended),
      last(line, 0, 3, ended);
  for (Done* each : {&tagged, &timed, &foreign, &off, &last}) CHECK(each->Hold());
  CHECK(line->quiet());
  CHECK(line->Release(1, ended) == 2);
  CHECK(tagged.gone);
  CHECK(!timed.gone);
  CHECK(!foreign.gone);
  CHECK(line->Advance(10));
  CHECK(timed.gone);
  off.cancel = true;
  line->LetGoCancelled();
  CHECK(off.gone);
  CHECK(off.ticket.called_off());
  CHECK(!last.gone);
  ended = true;
  line->ReleaseAll(ended);
  CHECK(last.gone);
  CHECK(!last.ticket.called_off());
  // From here on nothing of that plan is held.
  Done after(line, 10, std::nullopt, ended);
  CHECK(!after.Hold());
}

TEST_CASE("parts of a request share its ticket: all of them are let go, also by one that was called off meanwhile") {
  const auto line = std::make_shared<HoldLine>(HoldLine::Clock::kVirtual);
  const std::atomic<bool> ended{false};
  std::atomic<bool> cancel{false};
  std::atomic<int> gone{0};
  const auto go = [](void* count) { (*static_cast<std::atomic<int>*>(count))++; };
  HoldTicket released(line, 0, 1, ended), called_off(line, 0, 2, ended);
  CHECK(released.Hold(&cancel, go, &gone));
  CHECK(released.Hold(&cancel, go, &gone));
  CHECK_FALSE(line->quiet());  // the other ticket is not held yet
  CHECK(line->Release(1, ended) == 1);
  CHECK(gone == 2);
  CHECK(called_off.Hold(&cancel, go, &gone));
  cancel = true;
  // Before LetGoCancelled() has looked.
  CHECK_FALSE(called_off.Hold(&cancel, go, &gone));
  CHECK(gone == 3);
  CHECK(called_off.called_off());
}

TEST_CASE("who waits here moves a virtual clock on, and lets go what is due before") {
  const auto line = std::make_shared<HoldLine>(HoldLine::Clock::kVirtual);
  const std::atomic<bool> ended{false};
  Done before(line, 10, std::nullopt, ended), here(line, 20, std::nullopt, ended), hangs(line, 0, 1, ended);
  CHECK(before.Hold());
  here.ticket.WaitHere();
  CHECK(before.gone);
  CHECK(line->now() == 20);
  CHECK(hangs.ticket.hangs());
}

TEST_CASE("on the host's clock threads that hold and release at once each let go once") {
  const auto line = std::make_shared<HoldLine>(HoldLine::Clock::kReal);
  const std::atomic<bool> ended{false};
  std::atomic<int> gone{0}, held{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; i++) {
        HoldTicket ticket(line, i % 2 == 0 ? 1000 : 0, i % 2 == 0 ? std::nullopt : std::optional<uint64_t>(1), ended);
        std::atomic<bool> done{false};
        struct Both {
          std::atomic<int>& gone;
          std::atomic<bool>& done;
        } both{gone, done};
        if (!ticket.Hold(
                nullptr,
                [](void* owner) {
                  Both& that = *static_cast<Both*>(owner);
                  that.gone++;
                  that.done = true;
                },
                &both)) {
          continue;
        }
        held++;
        while (!done) {
          line->Release(1, ended);
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(gone == held);
}

TEST_CASE("what is held is let go without memory: by time, by tag, by the end of who holds") {
  std::atomic<bool> ended{false};
  const auto line = std::make_shared<HoldLine>(HoldLine::Clock::kVirtual);
  Done timed(line, 10, std::nullopt, ended), tagged(line, 20, 7, ended), hung(line, 0, 8, ended),
      late(line, 30, std::nullopt, ended), cancelled(line, 40, std::nullopt, ended);
  for (Done* each : {&timed, &tagged, &hung, &late, &cancelled}) CHECK(each->Hold());
  cancelled.cancel.store(true);
  test::Scarce none(0);
  const bool first = line->Advance(15);
  const size_t released = line->Release(7, ended);
  const bool second = line->Advance(25);
  line->LetGoCancelled();
  ended.store(true);
  line->ReleaseAll(ended);
  const test::Plenty plenty;
  CHECK((first && second && released == 1));
  for (const Done* each : {&timed, &tagged, &hung, &late, &cancelled}) CHECK(each->gone);
}

}  // namespace
}  // namespace blk
