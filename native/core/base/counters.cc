#include "core/base/counters.h"

namespace blk {

Counters::Values Counters::Sum() const {
  Values sum{};
  for (const Set& set : lanes_) {
    // Relaxed: a count says nothing about other memory. What makes a snapshot exact at rest is that the requests have
    // completed before it, by whatever told the caller so.
    for (size_t i = 0; i < kCounterCount; i++) sum[i] += set.counts[i].load(std::memory_order_relaxed);
  }
  return sum;
}

Counters::Values Counters::Snapshot() const {
  Values values = Sum();
  for (size_t i = 0; i < kCounterCount; i++) values[i] -= baseline_[i];
  return values;
}

// A baseline instead of zeroing: an add between reading a count and clearing it would be lost.
void Counters::Reset() { baseline_ = Sum(); }

}  // namespace blk
