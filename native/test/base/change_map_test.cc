// ChangeMap: runs, whole and as far as is wanted, against a plain list of marks.
#include "core/base/change_map.h"

#include <random>
#include <vector>

#include "test/support/check.h"

namespace blk {
namespace {

constexpr uint64_t kBegin = 5000;
constexpr unsigned kShift = 9;
constexpr uint64_t kBlocks = 300;
constexpr MediumSpan kSpan{{kBegin}, {kBegin + (kBlocks << kShift) - 100}};

// What the first run at `from` that begins before `to` has to be; the last block that is looked at is the one before
// `to`.
MediumSpan RunOf(const std::vector<bool>& marks, uint64_t from, uint64_t to) {
  const uint64_t behind = ((to - 1 - kBegin) >> kShift) + 1;
  uint64_t first = (from - kBegin) >> kShift;
  while (first < behind && !marks[first]) first++;
  if (first == behind) return {kSpan.end, kSpan.end};
  uint64_t end = first;
  while (end < behind && marks[end]) end++;
  return MediumSpan{{kBegin + (first << kShift)}, {kBegin + (end << kShift)}}.CutTo(kSpan);
}

TEST_CASE("runs from anywhere to anywhere are those of the marks") {
  std::mt19937 random(5);
  for (const unsigned one_in : {1u, 2u, 20u, 200u}) {
    ChangeMap map(kSpan, kShift);
    std::vector<bool> marks(kBlocks);
    for (uint64_t block = 0; block < kBlocks; block++) {
      if (random() % one_in != 0) continue;
      marks[block] = true;
      map.Mark({{kBegin + (block << kShift)}, {kBegin + (block << kShift) + 1}});
    }
    for (int i = 0; i < 20000; i++) {
      const uint64_t from = kBegin + random() % (kSpan.end.value - kBegin);
      const uint64_t to = from + 1 + random() % (kSpan.end.value - from);
      for (const uint64_t end : {to, kSpan.end.value}) {
        const MediumSpan run = end == to ? map.NextRun({from}, {to}) : map.NextRun({from});
        const MediumSpan wanted = RunOf(marks, from, end);
        CHECK((run.begin.value == wanted.begin.value && run.end.value == wanted.end.value));
      }
    }
    CHECK(map.NextRun(kSpan.end).empty());
    CHECK(map.NextRun({kBegin + 7}, {kBegin + 7}).empty());
    CHECK(map.NextRun({0}, {kBegin}).empty());
  }
}

}  // namespace
}  // namespace blk
