// GuardFilter: refuses what would change protected ranges, with EROFS and 0 bytes moved: those that an open names, and,
// in a partition, the label sector of its disk. A request of several pieces is refused as a whole, so that nothing of
// it is written. Thread-safe. In a device's chain only when there is something to guard: all others pay nothing. Model:
// the label sector of bounds_check_with_label, NetBSD's subr_disk.c.
#ifndef RUMPBLK_CORE_FILTER_GUARD_FILTER_H_
#define RUMPBLK_CORE_FILTER_GUARD_FILTER_H_

#include <vector>

#include "core/filter/label_sector.h"
#include "core/request/filter.h"

namespace blk {

class GuardFilter final : public Filter {
 public:
  // `begin` is where the device begins in the medium, `spans` are parts of that, in any order; they may overlap or
  // be empty. `label` may be null, and outlives this object.
  GuardFilter(MediumOffset begin, std::vector<MediumSpan> spans, const LabelSector* label);

  FilterTraits traits() const override { return {/*needs_each_request=*/false, /*may_refuse_pieces=*/true}; }

  // Stops the request before its first piece if any of it is guarded. Reads pass.
  void Admit(Request& request) override;
  // Once more for each piece: a batch admits nothing for a guard, and the label may have come to be guarded since.
  Status Refuses(const Piece& piece) override;

  // Whether something in `span` may not be written. Of this moment, as far as the label goes.   Thread: any.
  bool Forbids(MediumSpan span) const;

 private:
  // Whether something in these bytes of the device may not be written.
  bool ForbidsAt(uint64_t position, size_t length) const {
    return Forbids({{begin_.value + position}, {begin_.value + position + length}});
  }

  const MediumOffset begin_;       // of the device
  std::vector<MediumSpan> spans_;  // sorted, disjoint
  const LabelSector* const label_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_GUARD_FILTER_H_
