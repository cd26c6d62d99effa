#include "core/filter/guard_filter.h"

#include <algorithm>
#include <utility>

#include "core/request/request.h"

namespace blk {

GuardFilter::GuardFilter(MediumOffset begin, std::vector<MediumSpan> spans, const LabelSector* label)
    : begin_(begin), label_(label) {
  // Merged here once, so that Forbids() finds its way by halving.
  std::sort(spans.begin(), spans.end(), [](const auto& a, const auto& b) { return a.begin.value < b.begin.value; });
  for (const MediumSpan& span : spans) {
    if (span.empty()) continue;
    if (!spans_.empty() && span.begin.value <= spans_.back().end.value) {
      spans_.back() = spans_.back().With(span);
    } else {
      spans_.push_back(span);
    }
  }
}

bool GuardFilter::Forbids(MediumSpan span) const {
  if (span.empty()) return false;
  if (label_ != nullptr && label_->Forbids(span)) return true;
  // Sorted and disjoint: the first that ends behind the start of `span` is the only one that can be the first to meet
  // it.
  const auto next = std::partition_point(spans_.begin(), spans_.end(), [&](const MediumSpan& protected_span) {
    return protected_span.end.value <= span.begin.value;
  });
  return next != spans_.end() && next->begin.value < span.end.value;
}

void GuardFilter::Admit(Request& request) {
  const Plan& plan = request.plan;
  // What is stopped at its start is not run, and outside the device nothing is guarded.
  if (!Mutates(request.operation) || plan.stop_at == 0 || plan.reach == 0) return;
  if (ForbidsAt(static_cast<uint64_t>(request.position), plan.reach)) request.plan.StopAt(0, {{EROFS, Op::kStrategy}});
}

Status GuardFilter::Refuses(const Piece& piece) {
  if (!Mutates(piece.operation) || !ForbidsAt(piece.position, piece.size)) return Status::Ok();
  return {EROFS, Op::kStrategy};
}

}  // namespace blk
