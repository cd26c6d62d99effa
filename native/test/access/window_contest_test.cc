#include "core/access/window_contest.h"

#include "test/support/check.h"

namespace blk {
namespace {

// Challenges by one window until it wins. -> how many it took, or `limit`.
int ChallengesToWin(WindowContest& contest, uint64_t window, size_t slot, int limit = 1000) {
  for (int i = 1; i < limit; i++) {
    if (contest.Challenge(window, slot)) return i;
  }
  return limit;
}

TEST_CASE("a window that is asked for again and again wins an idle slot, after a margin") {
  WindowContest contest(8, 2);
  const int needed = ChallengesToWin(contest, 6, 0);
  CHECK(needed > 8);
  CHECK(needed < 64);
}

TEST_CASE("a slot whose window is in use is harder to win") {
  WindowContest idle(8, 2), busy(8, 2);
  for (int i = 0; i < 50; i++) busy.Defend(0);
  CHECK(ChallengesToWin(busy, 6, 0) == ChallengesToWin(idle, 6, 0) + 50);
}

TEST_CASE("the winner defends with the heat it won by") {
  WindowContest contest(8, 2);
  const int first = ChallengesToWin(contest, 6, 0);
  contest.Take(6, 0);
  CHECK(ChallengesToWin(contest, 4, 0) == 2 * first);
}

TEST_CASE("two windows that are asked for alike hardly ever take turns") {
  WindowContest contest(8, 2);
  int remaps = 0;
  uint64_t holder = 0;
  for (int i = 0; i < 10000; i++) {
    const uint64_t window = i % 2 == 0 ? 4 : 6;
    if (window == holder) {
      contest.Defend(0);
    } else if (contest.Challenge(window, 0)) {
      contest.Take(window, 0);
      holder = window;
      remaps++;
    }
  }
  CHECK(remaps > 0);
  CHECK(remaps < 100);
}

TEST_CASE("old heat fades: a slot that was hot long ago can be won") {
  WindowContest contest(8, 2);
  for (int i = 0; i < 1000; i++) contest.Defend(0);
  CHECK(ChallengesToWin(contest, 6, 0, 100000) < 2000);
}

TEST_CASE("with a slot for every window, or far too many windows, nobody wins") {
  WindowContest covered(2, 2);
  CHECK(ChallengesToWin(covered, 1, 1) == 1000);
  WindowContest endless((uint64_t{1} << 20) + 1, 16);
  CHECK(ChallengesToWin(endless, 1 << 20, 0) == 1000);
}

}  // namespace
}  // namespace blk
