#include "core/base/span_set.h"

#include <utility>
#include <vector>

#include "test/support/check.h"

namespace blk {
namespace {

constexpr MediumSpan kAll{{0}, {UINT64_MAX}};

MediumSpan Span(uint64_t begin, uint64_t end) { return {{begin}, {end}}; }
std::pair<uint64_t, uint64_t> Numbers(MediumSpan span) { return {span.begin.value, span.end.value}; }
using Pair = std::pair<uint64_t, uint64_t>;

TEST_CASE("what is taken is what lies within, and stays no more") {
  SpanSet set;
  CHECK(set.empty());
  CHECK(set.Take(kAll).empty());
  set.Add(Span(100, 200));
  set.Add(Span(300, 400));
  set.Add(Span(7, 7));
  CHECK(set.Take(Span(0, 100)).empty());
  CHECK(set.Take(Span(200, 300)).empty());
  CHECK(Numbers(set.Take(Span(150, 350))) == Pair(150, 350));
  CHECK(Numbers(set.Take(Span(0, 350))) == Pair(100, 150));
  CHECK(Numbers(set.Take(kAll)) == Pair(350, 400));
  CHECK(set.empty());
}

TEST_CASE("a piece out of the middle leaves both ends") {
  SpanSet set;
  set.Add(Span(0, 100));
  CHECK(Numbers(set.Take(Span(40, 50))) == Pair(40, 50));
  CHECK(set.Take(Span(40, 50)).empty());
  CHECK(Numbers(set.Take(Span(0, 45))) == Pair(0, 40));
  CHECK(Numbers(set.Take(Span(45, 99))) == Pair(50, 99));
  CHECK(Numbers(set.Take(kAll)) == Pair(99, 100));
}

TEST_CASE("spans that overlap or touch are one; the order in which they come does not matter") {
  for (const bool backwards : {false, true}) {
    std::vector<MediumSpan> spans = {Span(10, 20), Span(20, 30), Span(50, 60), Span(55, 70), Span(5, 6), Span(0, 12)};
    if (backwards) spans = {spans.rbegin(), spans.rend()};
    SpanSet set;
    for (const MediumSpan& span : spans) set.Add(span);
    CHECK(Numbers(set.Take(Span(0, 40))) == Pair(0, 30));
    CHECK(Numbers(set.Take(kAll)) == Pair(50, 70));
  }
}

TEST_CASE("one that spans several takes their place") {
  SpanSet set;
  for (uint64_t i = 0; i < 10; i++) set.Add(Span(i * 10, i * 10 + 5));
  set.Add(Span(12, 73));
  CHECK(Numbers(set.Take(Span(10, 80))) == Pair(10, 75));
  CHECK(Numbers(set.Take(Span(0, 10))) == Pair(0, 5));
  CHECK(Numbers(set.Take(kAll)) == Pair(80, 95));
}

TEST_CASE("of more than it holds, the two that are nearest become one; nothing is left out") {
  SpanSet set;
  for (uint64_t i = 0; i < SpanSet::kMost; i++) set.Add(Span(i * 1000, i * 1000 + 10));
  set.Add(Span(5020, 5030));  // the least gap: 10 bytes behind the one at 5000
  CHECK(Numbers(set.Take(Span(5012, 5013))) == Pair(5012, 5013));
  CHECK(set.Take(Span(4500, 5000)).empty());
  for (uint64_t i = 0; i < 1000; i++) set.Add(Span(i * 1000 + 500, i * 1000 + 501));
  for (uint64_t i = 0; i < 1000; i++) CHECK_FALSE(set.Take(Span(i * 1000 + 500, i * 1000 + 501)).empty());
}

}  // namespace
}  // namespace blk
