#include "core/base/span_set.h"

#include <algorithm>

namespace blk {

void SpanSet::Add(MediumSpan span) {
  if (span.empty()) return;
  // Those that end before it stay, those that touch it become part of it, the others move up behind it.
  const auto end = spans_.begin() + count_;
  const auto first =
      std::find_if(spans_.begin(), end, [&](const MediumSpan& s) { return s.end.value >= span.begin.value; });
  const auto behind = std::find_if(first, end, [&](const MediumSpan& s) { return s.begin.value > span.end.value; });
  for (auto touched = first; touched != behind; touched++) span = span.With(*touched);
  if (first == behind) {
    std::move_backward(first, end, end + 1);
  } else {
    std::move(behind, end, first + 1);
  }
  *first = span;
  count_ = count_ + 1 - static_cast<size_t>(behind - first);
  if (count_ > kMost) JoinNearest();
}

MediumSpan SpanSet::Take(MediumSpan within) {
  MediumSpan taken;
  SpanSet rest;
  for (size_t i = 0; i < count_; i++) {
    const MediumSpan& span = spans_[i];
    const MediumOffset begin{std::max(span.begin.value, within.begin.value)};
    const MediumOffset end{std::min(span.end.value, within.end.value)};
    if (begin.value >= end.value) {
      rest.Add(span);
      continue;
    }
    taken = taken.With({begin, end});
    rest.Add({span.begin, begin});
    rest.Add({end, span.end});
  }
  *this = rest;
  return taken;
}

void SpanSet::JoinNearest() {
  size_t nearest = 1;
  const auto gap = [&](size_t i) { return spans_[i].begin.value - spans_[i - 1].end.value; };
  for (size_t i = 2; i < count_; i++) {
    if (gap(i) < gap(nearest)) nearest = i;
  }
  spans_[nearest - 1].end = spans_[nearest].end;
  std::move(spans_.begin() + nearest + 1, spans_.begin() + count_, spans_.begin() + nearest);
  count_--;
}

}  // namespace blk
