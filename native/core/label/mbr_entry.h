// MbrEntry as bytes: changes the sixteen of them and no more than have to change. No state.
#ifndef RUMPBLK_CORE_LABEL_MBR_ENTRY_H_
#define RUMPBLK_CORE_LABEL_MBR_ENTRY_H_

#include <cstdint>

#include "core/label/mbr.h"

namespace blk {

// What a tool counts cylinders in. No system believes cylinders any more, but a table keeps those of its maker.
struct Geometry {
  uint32_t heads = 255;  // what everybody claims
  uint32_t track = 63;   // sectors of one
};

// The geometry in which the used entries of a partition sector say what they say in sectors; the default where none
// fits all of them.
Geometry GeometryOf(const MbrImage& sector0);

// Makes the entry at `at`, of kMbrEntryBytes, say `entry`, whose sectors count from sector `base` of the disk. Flags
// beside the bootable one stay. Cylinders stay while the sectors do, and where they stand for none.
void PutMbrEntry(uint8_t* at, const MbrEntry& entry, uint64_t base, const Geometry& geometry);

// Whether none of its bytes is anything but 0.
bool IsBlankMbrEntry(const uint8_t* at);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_MBR_ENTRY_H_
