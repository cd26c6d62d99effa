#include "core/filter/guard_strategy.h"

#include <algorithm>
#include <utility>

#include "core/request/physio.h"

namespace blk {

GuardStrategy::GuardStrategy(const DeviceRange& range, std::vector<HostSpan> spans, const LabelSector* label,
                             Strategy& next)
    : range_(range), label_(label), next_(next) {
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

HostSpan GuardStrategy::SpanOf(int64_t position, size_t length) const {
  const uint64_t begin = static_cast<uint64_t>(position);  // of a negative one: beyond the end
  // Outside in any way: nothing is guarded there, and the bounds check has the better answer.
  if (begin >= range_.size) return {};
  const uint64_t end = begin + std::min<uint64_t>(length, range_.size - begin);
  return {{range_.begin.value + begin}, {range_.begin.value + end}};
}

void GuardStrategy::Admit(Transfer& transfer) {
  const bool write = transfer.op == BufOp::kWrite && range_.writable;
  if (write && Forbids(SpanOf(transfer.position, transfer.length))) {
    transfer.refusal = {EROFS, Op::kStrategy};
  }
  next_.Admit(transfer);
}

// Once more for each buf: a batch admits nothing, and the label may have come to be guarded since.
void GuardStrategy::Submit(Buf& buf) {
  const bool write = buf.op == BufOp::kWrite && range_.writable;
  if (write && Forbids(SpanOf(buf.position, buf.bcount))) return Biodone(buf, 0, {EROFS, Op::kStrategy});
  next_.Submit(buf);
}

}  // namespace blk
