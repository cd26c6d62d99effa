// HybridMbr: sector 0 in front of a GPT: protective, with one entry of type 0xee over all the disk, or hybrid, with
// entries that show some of the partitions to systems without GPT. No state.
#ifndef RUMPBLK_CORE_LABEL_HYBRID_MBR_H_
#define RUMPBLK_CORE_LABEL_HYBRID_MBR_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/status.h"
#include "core/label/mbr.h"
#include "core/label/partition_table.h"
#include "core/label/table_plan.h"
#include "core/label/table_source.h"

namespace blk {

// The entries of a hybrid MBR, the protective ones too, in sectors of `sector_size`; nothing for one that is only
// protective.
std::optional<std::vector<PartitionEntry>> HybridEntries(const MbrSector& sector, uint64_t sector_size);

// Puts the hybrid entries into `gpt`, with a verdict for each that is none of its partitions.
void ShowHybrid(PartitionTable& gpt, const MbrSector& sector);

// The sectors of a disk that a GPT was on, and is to be on. Equal where the disk has kept its size.
struct DiskSectors {
  uint64_t was = 0;
  uint64_t is = 0;
};

// Plans sector 0 for `gpt`: the hybrid entries that it asks for, each that is there already as it is; else what
// protects a GPT already, its size brought up to a disk that has another one; else one protective entry.
// A verdict for hybrid entries that cannot be, and for each that shares sectors with a partition it is not, unless
// `old` had that.   Errors: those of source.Read().
Result<TableWrite> PlanHybrid(TableSource& source, PartitionTable& gpt, const OldTable& old,
                              const DiskSectors& sectors);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_HYBRID_MBR_H_
