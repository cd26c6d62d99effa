// Mbr: the partition sector of a PC disk. Little endian on every
// machine. No state; decoders never fail on what they read. Model: the layout that Linux's and NetBSD's kernels
// read; numbers count sectors of the medium.
#ifndef RUMPBLK_CORE_LABEL_MBR_H_
#define RUMPBLK_CORE_LABEL_MBR_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/status.h"
#include "core/label/partition_table.h"
#include "core/label/table_source.h"

namespace blk {

inline constexpr size_t kMbrBytes = 512;  // of a sector of any size
inline constexpr size_t kMbrIdAt = 440;
inline constexpr size_t kMbrEntriesAt = 446;
inline constexpr size_t kMbrEntryBytes = 16;
inline constexpr size_t kMbrSignatureAt = 510;
inline constexpr uint16_t kMbrSignature = 0xaa55;
inline constexpr uint32_t kMbrSlots = 4;
inline constexpr uint8_t kMbrBootable = 0x80;
inline constexpr uint8_t kMbrProtective = 0xee;
// One of the four entries of a partition sector. Cylinders and heads are not read: no system believes them any more.
struct MbrEntry {
  uint8_t boot_flag = 0;
  uint8_t type = 0;
  uint32_t start = 0;    // sectors
  uint32_t sectors = 0;  // sectors
  // Both are asked for: tools clear the one or the other.
  bool used() const { return type != 0 && sectors != 0; }
  // The one without the other: no partition, and yet not nothing.
  bool half() const { return !used() && (type != 0 || sectors != 0); }
};

// Sector 0, or a link of a chain, which looks the same but has no identifier.
struct MbrSector {
  bool has_signature = false;
  uint32_t disk_id = 0;
  std::array<MbrEntry, kMbrSlots> entries{};
};

using MbrImage = std::array<uint8_t, kMbrBytes>;

// Takes the bytes for what they would be; has_signature tells whether to believe it.
MbrSector DecodeMbr(const MbrImage& bytes);

// Types whose partition begins with a chain of logical ones: DOS, DOS by LBA, Linux.
constexpr bool IsExtended(uint8_t type) { return type == 0x05 || type == 0x0f || type == 0x85; }
// FreeBSD, OpenBSD, NetBSD: such a slice begins with a disklabel.
constexpr uint8_t kMbrFreeBsd = 0xa5;
constexpr uint8_t kMbrOpenBsd = 0xa6;
constexpr bool IsBsdSlice(uint8_t type) { return type == kMbrFreeBsd || type == kMbrOpenBsd || type == 0xa9; }

// Whether sector 0 divides the disk: it has the signature, boot flags that are flags, and is not the first sector of a
// FAT, exFAT or NTFS file system that uses the whole disk.
bool IsPartitionSector(const MbrImage& bytes);
// Whether one of its entries says that a GPT has the disk.
bool IsProtective(const MbrSector& sector);

// The entry as a partition, without a name; its sectors count from sector `base`.
PartitionEntry MbrPartition(const MbrEntry& from, uint32_t index, uint64_t base, uint64_t sector_size);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_MBR_H_
