#include "core/workers/stall_watch.h"

#include <chrono>

#include "test/support/check.h"

namespace blk {
namespace {

using std::chrono::milliseconds;
using State = StallWatch::State;

constexpr milliseconds kPatience{10};
// A reading of the clock.
StallWatch::Clock::time_point At(int ms) { return StallWatch::Clock::time_point(milliseconds(ms)); }

TEST_CASE("a watch is off, wanted, kept, and off again") {
  StallWatch watch(kPatience);
  CHECK(watch.state() == State::kOff);
  watch.Want();
  CHECK(watch.state() == State::kWanted);
  watch.Begin(At(0));
  CHECK(watch.state() == State::kWatching);
  watch.End();
  CHECK(watch.state() == State::kOff);
}

TEST_CASE("a stall is a whole period of patience without any task taken") {
  StallWatch watch(kPatience);
  watch.TaskTaken();  // before the watch: of no matter
  watch.Begin(At(100));
  CHECK(watch.until() == At(110));
  CHECK_FALSE(watch.Stalled(At(100)));
  CHECK_FALSE(watch.Stalled(At(109)));
  CHECK(watch.Stalled(At(110)));
  CHECK(watch.until() == At(110));
}

TEST_CASE("after a period in which a task was taken another one begins, when that is found out") {
  StallWatch watch(kPatience);
  watch.Begin(At(0));
  watch.TaskTaken();
  CHECK_FALSE(watch.Stalled(At(9)));
  CHECK(watch.until() == At(10));
  CHECK_FALSE(watch.Stalled(At(14)));  // the watcher got no processor any sooner
  CHECK(watch.until() == At(24));
  CHECK_FALSE(watch.Stalled(At(23)));
  CHECK(watch.Stalled(At(24)));
}

TEST_CASE("a watch that begins again asks for nothing that was before") {
  StallWatch watch(kPatience);
  watch.Begin(At(0));
  watch.TaskTaken();
  watch.End();
  watch.Want();
  watch.Begin(At(50));
  CHECK(watch.Stalled(At(60)));
}

}  // namespace
}  // namespace blk
