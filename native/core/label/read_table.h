// ReadTable: finds out how a medium is divided: GPT, MBR with its chains and the disklabels in its slices, or a
// disklabel alone; and which label the kernel of a BSD would take.
// No state. Never fails on what it reads, whatever that is: work and memory are bounded by the constants of the
// schemes.
#ifndef RUMPBLK_CORE_LABEL_READ_TABLE_H_
#define RUMPBLK_CORE_LABEL_READ_TABLE_H_

#include <optional>

#include "core/base/status.h"
#include "core/label/bsd_table.h"
#include "core/label/mbr.h"
#include "core/label/partition_table.h"
#include "core/label/table_source.h"

namespace blk {

// The tree of tables; nothing where the medium is not divided. Errors: those of source.Read().
Result<std::optional<PartitionTable>> ReadPartitionTable(TableSource& source);

// Sector 0, of an MBR's size; zeros where the medium is shorter. Errors: those of source.Read().
Status ReadSector0(TableSource& source, MbrImage* bytes);

struct PlacedLabel {
  FoundLabel found;
  Slice slice;
};
// The valid label of the medium: the one in its first BSD slice, else the bare one. Errors: those of source.Read().
Result<std::optional<PlacedLabel>> FindLabel(TableSource& source);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_READ_TABLE_H_
