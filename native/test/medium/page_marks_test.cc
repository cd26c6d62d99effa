#include "core/medium/page_marks.h"

#include <vector>

#include "test/support/check.h"

namespace blk {
namespace {

TEST_CASE("page marks: a block that was touched is marked, one that was freed as a whole is not") {
  PageMarks marks(1 << 20);
  CHECK_FALSE(marks.Marked(0));
  CHECK(marks.EndOfRun(5, 1 << 20) == 1 << 20);
  marks.Mark(4095, 2);
  marks.Mark(500'000, 0);
  CHECK(marks.Marked(0));
  CHECK(marks.Marked(8191));
  CHECK_FALSE(marks.Marked(8192));
  CHECK(marks.EndOfRun(1, 1 << 20) == 8192);
  CHECK(marks.EndOfRun(1, 5000) == 5000);
  CHECK(marks.EndOfRun(8192, 1 << 20) == 1 << 20);
  marks.Unmark(1, 8191);
  CHECK(marks.Marked(0));
  marks.Unmark(1, 8192);
  CHECK(marks.Marked(0));
  CHECK_FALSE(marks.Marked(4096));
}

TEST_CASE("page marks: they agree with a list of flags, over words and their borders") {
  constexpr uint64_t kBlocks = 400, kBlock = 4096;
  PageMarks marks(kBlocks * kBlock);
  std::vector<bool> model(kBlocks);
  uint64_t state = 9;
  const auto next = [&](uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
  };
  for (int round = 0; round < 300; round++) {
    const uint64_t from = next(kBlocks), to = from + 1 + next(kBlocks - from);
    const bool mark = next(2) == 0;
    if (mark) marks.Mark(from * kBlock, (to - from) * kBlock);
    if (!mark) marks.Unmark(from * kBlock, to * kBlock);
    for (uint64_t block = from; block < to; block++) model[block] = mark;
    for (uint64_t block = 0; block < kBlocks; block++) REQUIRE(marks.Marked(block * kBlock) == model[block]);
    for (uint64_t block = 0; block < kBlocks;) {
      uint64_t end = block;
      while (end < kBlocks && model[end] == model[block]) end++;
      REQUIRE(marks.EndOfRun(block * kBlock, kBlocks * kBlock) == end * kBlock);
      block = end;
    }
  }
}

TEST_CASE("page marks: of a large range a block is larger, and no look is long") {
  constexpr uint64_t kSize = uint64_t{1} << 42, kBlock = 16'384;
  PageMarks marks(kSize);
  marks.Mark(kSize - 1, 1);
  marks.Mark(kBlock, 1);
  CHECK(marks.Marked(kSize - kBlock));
  CHECK_FALSE(marks.Marked(kSize - kBlock - 1));
  marks.Unmark(kBlock, 2 * kBlock - 1);
  CHECK(marks.Marked(2 * kBlock - 1));
  marks.Unmark(kBlock, 2 * kBlock);
  CHECK_FALSE(marks.Marked(kBlock));
  uint64_t looks = 0;
  for (uint64_t at = 0; at < kSize - kBlock; looks++) at = marks.EndOfRun(at, kSize);
  CHECK(looks > 1);
  CHECK(looks < 100);
}

}  // namespace
}  // namespace blk
