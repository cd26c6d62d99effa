#include "core/label/mbr.h"

#include <algorithm>
#include <cstring>

namespace blk {
namespace {

// The first bytes of file systems that have the signature, too.
bool IsFileSystem(const MbrImage& bytes) {
  const auto says = [&](size_t at, const char* text) { return std::memcmp(&bytes[at], text, std::strlen(text)) == 0; };
  return says(3, "NTFS    ") || says(3, "EXFAT   ") || says(54, "FAT") || says(82, "FAT32");
}

}  // namespace

PartitionEntry MbrPartition(const MbrEntry& from, uint32_t index, uint64_t base, uint64_t sector_size) {
  PartitionEntry entry;
  entry.index = index;
  entry.start = (base + from.start) * sector_size;
  entry.size = from.sectors * sector_size;
  entry.type = from.type;
  entry.bootable = (from.boot_flag & kMbrBootable) != 0;
  return entry;
}

MbrSector DecodeMbr(const MbrImage& bytes) {
  MbrSector sector;
  sector.has_signature = Load<uint16_t>(&bytes[kMbrSignatureAt]) == kMbrSignature;
  sector.disk_id = Load<uint32_t>(&bytes[kMbrIdAt]);
  for (uint32_t i = 0; i < kMbrSlots; i++) {
    const uint8_t* at = &bytes[kMbrEntriesAt + i * kMbrEntryBytes];
    // Flag, type, first sector and number of sectors; between them lie cylinders and heads, which nobody needs any
    // more.
    sector.entries[i] = {at[0], at[4], Load<uint32_t>(at + 8), Load<uint32_t>(at + 12)};
  }
  return sector;
}

bool IsPartitionSector(const MbrImage& bytes) {
  const MbrSector sector = DecodeMbr(bytes);
  if (!sector.has_signature) return false;
  // Boot sectors of file systems have the signature, too. Where a table would be they have code, which hardly ever
  // looks like four flags; or nothing, and then a name of their own.
  const auto& entries = sector.entries;
  const bool flags = std::all_of(entries.begin(), entries.end(),
                                 [](const MbrEntry& entry) { return (entry.boot_flag & ~kMbrBootable) == 0; });
  if (!flags) return false;
  return std::any_of(entries.begin(), entries.end(), [](const MbrEntry& entry) { return entry.used(); }) ||
         !IsFileSystem(bytes);
}

bool IsProtective(const MbrSector& sector) {
  return std::any_of(sector.entries.begin(), sector.entries.end(),
                     [](const MbrEntry& entry) { return entry.type == kMbrProtective; });
}

}  // namespace blk
