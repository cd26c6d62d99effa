// MbrTable: the partition table of a PC disk: its sector 0, with the chains of its extended partitions. No state.
#ifndef RUMPBLK_CORE_LABEL_MBR_TABLE_H_
#define RUMPBLK_CORE_LABEL_MBR_TABLE_H_

#include "core/base/status.h"
#include "core/label/mbr.h"
#include "core/label/partition_table.h"
#include "core/label/table_source.h"

namespace blk {

// The table that sector 0 says, with the chains of extended partitions in it; disklabels are not looked for. Logical
// partitions are numbered on over all chains. Reads at most kMaxLogical sectors for each of four chains.
// Errors: those of source.Read().
Result<PartitionTable> ReadMbr(TableSource& source, const MbrImage& sector0, uint64_t sector_size);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_MBR_TABLE_H_
