#include "core/filter/guard_strategy.h"

#include <algorithm>
#include <utility>

#include "core/request/request.h"

namespace blk {

GuardStrategy::GuardStrategy(HostOffset begin, std::vector<HostSpan> spans, const LabelSector* label, Strategy& next)
    : begin_(begin), label_(label), next_(next) {
  // Merged here once, so that Forbids() finds its way by halving.
  std::sort(spans.begin(), spans.end(), [](const auto& a, const auto& b) { return a.begin.value < b.begin.value; });
  for (const HostSpan& span : spans) {
    if (span.empty()) continue;
    if (!spans_.empty() && span.begin.value <= spans_.back().end.value) {
      spans_.back() = spans_.back().With(span);
    } else {
      spans_.push_back(span);
    }
  }
}

bool GuardStrategy::Forbids(HostSpan span) const {
  if (span.empty()) return false;
  if (label_ != nullptr && label_->Forbids(span)) return true;
  // Sorted and disjoint: the first that ends behind the start of `span` is the only one that can be the first to meet
  // it.
  const auto next = std::partition_point(spans_.begin(), spans_.end(), [&](const HostSpan& protected_span) {
    return protected_span.end.value <= span.begin.value;
  });
  return next != spans_.end() && next->begin.value < span.end.value;
}

void GuardStrategy::Admit(Request& request) {
  next_.Admit(request);
  const Plan& plan = request.plan;
  // What is stopped at its start is not run, and outside the device nothing is guarded.
  if (request.operation != Operation::kWrite || plan.stop_at == 0 || plan.reach == 0) return;
  if (ForbidsAt(static_cast<uint64_t>(request.position), plan.reach)) request.plan.StopAt(0, {{EROFS, Op::kStrategy}});
}

// Once more for each piece: a batch admits nothing, and the label may have come to be guarded since.
void GuardStrategy::Submit(Piece& piece) {
  if (Refuses(piece)) return Biodone(piece, 0, {EROFS, Op::kStrategy});
  next_.Submit(piece);
}

void GuardStrategy::Start(StartedPiece& piece) {
  if (!Refuses(piece)) return next_.Start(piece);
  Biodone(piece, 0, {EROFS, Op::kStrategy});
  piece.finish(piece);
}

}  // namespace blk
