// SunLabel: the label of a SPARC disk, read only. Big endian, in sector 0; it begins a partition at a cylinder.
// No state; never fails on what it reads. Model: the layout that Solaris, Linux and libblkid read.
#ifndef RUMPBLK_CORE_LABEL_SUN_LABEL_H_
#define RUMPBLK_CORE_LABEL_SUN_LABEL_H_

#include "core/label/mbr.h"
#include "core/label/partition_table.h"
#include "core/label/table_source.h"

namespace blk {

inline constexpr size_t kSunMagicAt = 508;
inline constexpr size_t kSunSumAt = 510;

// Whether sector 0 is such a label: its magic number, and a checksum that holds.
bool HasSunLabel(const uint8_t* sector0);
inline bool HasSunLabel(const MbrImage& sector0) { return HasSunLabel(sector0.data()); }
// Makes the checksum of a label whose bytes have changed hold again.
void KeepSunSum(uint8_t* sector0);

// The partitions of the label in sector 0, without the one that is the whole disk; as libblkid has them.
// REQUIRES: HasSunLabel(sector0).
PartitionTable SunTable(const TableSource& source, const MbrImage& sector0);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_SUN_LABEL_H_
