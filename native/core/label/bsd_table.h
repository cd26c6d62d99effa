// BsdTable: a disklabel on a medium: the places where it may lie, and the partitions that it says.
// No state; decoders never fail on what they read.
// Model: readdisklabel of NetBSD's ports; where Linux's and libblkid's readers look.
#ifndef RUMPBLK_CORE_LABEL_BSD_TABLE_H_
#define RUMPBLK_CORE_LABEL_BSD_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/status.h"
#include "core/label/disk_label.h"
#include "core/label/partition_table.h"
#include "core/label/table_source.h"

namespace blk {

struct FoundLabel {
  DecodedLabel decoded;
  uint64_t position = 0;  // bytes, of its first byte
  bool fresh = false;     // made up, where none lies
};

// The MBR slice that a label lies in; begin 0 and no type for one that has the whole disk.
struct Slice {
  uint64_t begin = 0;  // bytes
  uint64_t end = 0;
  uint8_t type = 0;
  std::string name;
};

// The slice that an entry of an MBR is. FreeBSD's entry for a disk that it has to itself ("dangerously dedicated") says
// 50000 sectors from 0 on, whatever the disk has: its slice is the whole medium.
Slice SliceOf(const PartitionEntry& entry, const TableSource& source);

// Where the label of an undivided medium may begin: sector 1 of 512 and of 4096 bytes; byte 64 of sector 0, as alpha,
// mips and vax have it; byte 128, as sparc does.
inline constexpr uint64_t kBareLabelPlaces[] = {512, 64, 128, 4096};
// Where a medium or a slice gets a label that has none: where most tools look for one.
inline constexpr uint64_t kFirstLabelPlace = 512;

// The label that begins at `position`, if the magic numbers are there. Errors: those of source.Read().
Result<std::optional<FoundLabel>> LabelAt(TableSource& source, uint64_t position);
// The label on an undivided medium: in sector 1, at byte 64 or at byte 128 of sector 0. One that a kernel would take,
// or else the first with the magic numbers. Errors: those of source.Read().
Result<std::optional<FoundLabel>> FindBareLabel(TableSource& source);
// The label of a slice: in its sector 1, counted in 512 bytes, as fdisk(8), libblkid and Linux do whatever the medium's
// sectors are, or in those of the medium. One that a kernel would take, or else the first with the magic numbers; never
// one that reaches out of the slice. Errors: those of source.Read().
Result<std::optional<FoundLabel>> FindSliceLabel(TableSource& source, const Slice& slice);
// Where a slice without a label gets one: kFirstLabelPlace into it; nothing where it ends before.
std::optional<uint64_t> PlaceInSlice(const Slice& slice);

// Bytes of the sectors that a label counts in: those that it says, but never smaller ones than the medium's. fdisk(8)
// says 512 on any medium, and counts in the medium's like libblkid and the kernels.
uint64_t UnitOf(const DiskLabel& label, const TableSource& source);

// The partitions of a label. Its offsets count from the start of the disk; FreeBSD's count from its partition c, which
// is where the slice begins whatever c says. What would lie in front of the medium, or too far out for bytes, is no
// partition.
PartitionTable ToTable(const FoundLabel& found, const Slice& slice, const TableSource& source);

// Where the offsets of a label count from, by the rule above: sector `first` of the label is at byte `begin`.
struct LabelBase {
  uint64_t begin = 0;  // bytes
  uint64_t first = 0;  // sectors
};
LabelBase BaseOf(const DiskLabel& label, const Slice& slice);
// What the partitions of a label have to lie in: its slice, and what OpenBSD's label says is OpenBSD's, which may reach
// further than an MBR can count.
Container ContainerOf(const DecodedLabel& label, const Slice& slice, const TableSource& source);
// First byte of a partition, if it is one by that rule. Units: sector_size in bytes.
std::optional<uint64_t> StartOf(const Partition& partition, const LabelBase& base, uint64_t sector_size);
// The other way: the sector of the label that byte `start` is in, if it has one.
std::optional<uint64_t> OffsetOf(uint64_t start, const LabelBase& base, uint64_t sector_size);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_BSD_TABLE_H_
