// SpanSet: bytes of the host file as spans that do not touch, in order, without memory of its own. Where there would be
// more of them than it holds, the two with the least between them become one, with what is between.
// Not thread-safe: its owner locks.
#ifndef RUMPBLK_CORE_BASE_SPAN_SET_H_
#define RUMPBLK_CORE_BASE_SPAN_SET_H_

#include <array>
#include <cstddef>

#include "core/base/units.h"

namespace blk {

class SpanSet {
 public:
  static constexpr size_t kMost = 64;

  bool empty() const { return count_ == 0; }
  // An empty one adds nothing.
  void Add(MediumSpan span);
  // Takes out what lies in `within`. -> the smallest span that holds all of that; empty when there is none.
  MediumSpan Take(MediumSpan within);

 private:
  // Makes the two nearest one. REQUIRES: there are two.
  void JoinNearest();

  std::array<MediumSpan, kMost + 1> spans_;  // sorted; one more than are kept, for Add()
  size_t count_ = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_SPAN_SET_H_
