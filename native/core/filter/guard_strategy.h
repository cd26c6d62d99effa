// GuardStrategy: a decorator that refuses writes into protected ranges with EROFS and 0 bytes moved: those that an open
// names, and, in a partition, the label sector of its disk. A request of several pieces is refused as a whole, so that
// nothing of it is written.
// Thread-safe. In a device's stack only when there is something to guard: all others pay nothing.
// Model: the label sector of bounds_check_with_label, NetBSD's subr_disk.c.
#ifndef RUMPBLK_CORE_FILTER_GUARD_STRATEGY_H_
#define RUMPBLK_CORE_FILTER_GUARD_STRATEGY_H_

#include <vector>

#include "core/filter/label_sector.h"
#include "core/request/strategy.h"

namespace blk {

class GuardStrategy final : public Strategy {
 public:
  // `begin` is where the device begins in the host file, `spans` are parts of that, in any order; they may overlap or
  // be empty. `label` may be null. `next` and `label` outlive this object.
  GuardStrategy(HostOffset begin, std::vector<HostSpan> spans, const LabelSector* label, Strategy& next);

  // Stops the request before its first piece if any of it is guarded. Reads pass.
  void Admit(Request& request) override;
  // Refuses the piece: what Admit() has not seen, or has let through.
  void Submit(Piece& piece) override;
  void Start(StartedPiece& piece) override;
  void Expect(const Piece& piece) override { next_.Expect(piece); }

  // Whether something in `span` may not be written. Of this moment, as far as the label goes.   Thread: any.
  bool Forbids(HostSpan span) const;

 private:
  bool Refuses(const Piece& piece) const {
    return piece.operation == Operation::kWrite && ForbidsAt(piece.position, piece.size);
  }
  // Whether something in these bytes of the device may not be written.
  bool ForbidsAt(uint64_t position, size_t length) const {
    return Forbids({{begin_.value + position}, {begin_.value + position + length}});
  }

  const HostOffset begin_;       // of the device
  std::vector<HostSpan> spans_;  // sorted, disjoint
  const LabelSector* const label_;
  Strategy& next_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_GUARD_STRATEGY_H_
