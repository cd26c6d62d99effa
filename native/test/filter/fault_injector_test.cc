// FaultInjector against the seed's golden values.
#include "core/filter/fault_injector.h"

#include <atomic>
#include <vector>

#include "test/support/check.h"
#include "test/support/threads.h"

namespace blk {
namespace {

bool NextFails(FaultInjector& injector) { return injector.DrawUntilFailure(1) == 0; }

FaultInjector::Settings At(uint32_t rate, uint32_t seed) {
  FaultInjector::Settings settings;
  settings.rate = rate;
  settings.seed = seed;
  return settings;
}

// Indices of the failures among the first `count` draws.
std::vector<int> Failures(uint32_t rate, uint32_t seed, int count) {
  FaultInjector injector;
  injector.Set(At(rate, seed));
  std::vector<int> failures;
  for (int i = 0; i < count; i++) {
    if (NextFails(injector)) failures.push_back(i);
  }
  return failures;
}

// A draw d fails at the rates above d mod 10000 and at no other: that names the draw, without a look inside.
void CheckDraws(uint32_t seed, const std::vector<uint32_t>& draws) {
  for (size_t i = 0; i < draws.size(); i++) {
    const uint32_t r = draws[i] % kBlkfailMax;
    INFO("seed " << seed << " draw " << i);
    if (r > 0) {
      FaultInjector passes;
      passes.Set(At(r, seed));
      for (size_t before = 0; before < i; before++) static_cast<void>(NextFails(passes));
      CHECK_FALSE(NextFails(passes));
    }
    FaultInjector fails;
    fails.Set(At(r + 1, seed));
    for (size_t before = 0; before < i; before++) static_cast<void>(NextFails(fails));
    CHECK(NextFails(fails));
  }
}

TEST_CASE("the first eight draws of seeds 0 and 1 are the seed's") {
  CheckDraws(0, {12345, 1406932606, 654583775, 1449466924, 229283573, 1109335178, 1051550459, 1293799192});
  CheckDraws(1, {1103527590, 377401575, 662824084, 1147902781, 2035015474, 368800899, 1508029952, 486256185});
}

TEST_CASE("the failing requests of seed 1 are the seed's") {
  CHECK(Failures(100, 1, 200) == std::vector<int>{48, 120, 167, 169, 174});
  CHECK(Failures(2500, 1, 200) == std::vector<int>{1,   5,   10,  11,  17,  21,  22,  23,  25,  27,  30,  31,  33,
                                                   34,  39,  43,  47,  48,  50,  52,  55,  60,  61,  62,  67,  73,
                                                   76,  78,  79,  80,  81,  86,  89,  108, 113, 114, 117, 120, 121,
                                                   122, 132, 133, 137, 151, 153, 154, 159, 160, 162, 167, 169, 171,
                                                   174, 176, 178, 181, 188, 190, 192, 195, 196});
}

TEST_CASE("at 9999 of 10000 the first survivors of seed 1 are the seed's") {
  FaultInjector injector;
  injector.Set(At(9999, 1));
  std::vector<int> survivors;
  for (int i = 0; i <= 60553; i++) {
    if (!NextFails(injector)) survivors.push_back(i);
  }
  CHECK(survivors == std::vector<int>{5977, 55097, 60553});
}

TEST_CASE("the state of seed 1 after 200 draws is 2376603513") {
  // A stream that starts from that state goes on as the one that has drawn 200 times.
  for (const uint32_t rate : {1000u, 5000u, 9000u}) {
    FaultInjector drawn, started;
    drawn.Set(At(rate, 1));
    for (int i = 0; i < 200; i++) static_cast<void>(NextFails(drawn));
    started.Set(At(rate, 2376603513));
    for (int i = 0; i < 500; i++) REQUIRE(NextFails(drawn) == NextFails(started));
  }
}

TEST_CASE("rate 0 fails nothing and draws nothing; rate 10000 fails everything and draws") {
  FaultInjector injector;
  injector.Set(At(0, 1));
  CHECK(injector.DrawUntilFailure(1000) == 1000);
  CHECK(Failures(kBlkfailMax, 1, 200).size() == 200);
  CHECK(Failures(1, 7, 0).empty());
}

TEST_CASE("a run of draws stops behind the first failure") {
  FaultInjector injector;
  injector.Set(At(2500, 1));  // fails 1, 5, 10, 11
  CHECK(injector.DrawUntilFailure(8) == 1);
  CHECK(injector.DrawUntilFailure(8) == 3);  // draws 2..5
  CHECK(injector.DrawUntilFailure(3) == 3);  // draws 6..8, none fails
  CHECK(injector.DrawUntilFailure(8) == 1);  // 9, 10
  CHECK(injector.DrawUntilFailure(1) == 0);  // 11
  CHECK(injector.DrawUntilFailure(0) == 0);  // none
}

TEST_CASE("settings are told as they were given, and set the stream back to its start") {
  FaultInjector injector;
  CHECK(injector.settings().rate == 0);
  injector.Set(At(2500, 1));
  CHECK(injector.settings().rate == 2500);
  CHECK(injector.settings().seed == 1);
  CHECK(injector.DrawUntilFailure(100) == 1);
  CHECK(injector.settings().seed == 1);
  injector.Set(At(2500, 1));
  CHECK(injector.DrawUntilFailure(100) == 1);
}

TEST_CASE("F2: threads share one stream without losing or repeating a draw") {
  constexpr int kEach = 10000;
  FaultInjector injector;
  injector.Set(At(2500, 1));
  std::atomic<uint64_t> failures{0};
  test::RunTogether(4, [&](size_t) {
    for (int i = 0; i < kEach; i++) failures += NextFails(injector);
  });
  CHECK(failures == Failures(2500, 1, 4 * kEach).size());
}

}  // namespace
}  // namespace blk
