// WriteLabel: where a disklabel is to be written and what bytes that makes. No state.
#ifndef RUMPBLK_CORE_LABEL_WRITE_LABEL_H_
#define RUMPBLK_CORE_LABEL_WRITE_LABEL_H_

#include <cstdint>
#include <vector>

#include "core/base/status.h"
#include "core/label/bsd_table.h"
#include "core/label/disk_label.h"
#include "core/label/table_plan.h"
#include "core/label/table_source.h"

namespace blk {

struct LabelPlace {
  uint64_t position = 0;  // bytes
  ByteOrder order = ByteOrder::kLittle;
  Slice slice;
};

// Where the label of a medium belongs: where it has a valid one, else in sector 1 of its first BSD slice, else in
// sector 1. Errors: EINVAL no room there, or a GPT has the medium · those of source.Read().
Result<LabelPlace> PlaceForLabel(TableSource& source);

// The slice that such a label would lie in; the whole medium where it has no place for one.
// Errors: those of source.Read().
Result<Slice> SliceForLabel(TableSource& source);

// The bytes of `label` for a place, its checksum computed. No byte changes behind the last partition of the label that
// lies there or of this one, whichever has more: boot code begins there. The checksums of an alpha's boot
// block and of a Sun label around it are kept true.   REQUIRES: label.npartitions <= kMaxMaxPartitions.
// Errors: EINVAL it does not fit the sector, or its numbers their bits · EEXIST it has more partitions than the label
// that lies there, and something else lies where they would go · those of source.Read().
Result<TableWrite> EncodeAt(TableSource& source, const LabelPlace& place, DiskLabel label);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_WRITE_LABEL_H_
