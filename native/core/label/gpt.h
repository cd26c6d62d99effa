// Gpt: the GUID partition table of UEFI: two headers, each with an array of entries, all of it under checksums.
// No state; decoders never fail on what they read, and trust nothing before its checksum holds.
// Model: UEFI specification 2.10, chapter 5.3.
#ifndef RUMPBLK_CORE_LABEL_GPT_H_
#define RUMPBLK_CORE_LABEL_GPT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/label/guid.h"
#include "core/label/partition_table.h"
#include "core/label/table_source.h"

namespace blk {

inline constexpr uint64_t kGptSignature = 0x5452415020494645;  // "EFI PART"
inline constexpr uint32_t kGptRevision = 0x00010000;
inline constexpr size_t kGptHeaderBytes = 92;
inline constexpr size_t kGptHeaderCrcAt = 16;         // header_crc, which counts as 0 under itself
inline constexpr size_t kGptEntryBytes = 128;         // the least, and what everybody uses
inline constexpr uint32_t kGptEntryCount = 128;       // what everybody makes
inline constexpr uint64_t kMaxGptArray = 16 << 20;    // bytes of entries that are read; 1024 times what everybody makes
inline constexpr uint64_t kMaxNewGptArray = 1 << 20;  // and that are made
inline constexpr size_t kGptLabelUnits = 36;          // UTF-16 units of a label

// A header as the medium has it, in sectors (lba), which are as large as whoever found it says: the header does not
// tell.
struct GptHeader {
  uint64_t signature = kGptSignature;
  uint32_t revision = kGptRevision;
  uint32_t header_bytes = kGptHeaderBytes;  // under the checksum; may be more than are known here
  uint32_t header_crc = 0;
  uint32_t reserved = 0;
  uint64_t own_lba = 0;
  uint64_t other_lba = 0;  // of the other header
  uint64_t first_usable = 0;
  uint64_t last_usable = 0;  // inclusive
  Guid disk_guid;
  uint64_t array_lba = 0;
  uint32_t entry_count = kGptEntryCount;
  uint32_t entry_bytes = kGptEntryBytes;
  uint32_t array_crc = 0;

  // At most 2^64 - 2^33: two factors of 32 bits.
  uint64_t array_bytes() const { return uint64_t{entry_count} * entry_bytes; }
};

// The part of an entry that every entry has; what larger ones have behind it stays as it is.
struct GptEntry {
  Guid type;
  Guid uuid;
  uint64_t first = 0;
  uint64_t last = 0;  // inclusive
  uint64_t attributes = 0;
  std::array<char16_t, kGptLabelUnits> label{};
};

// One header with its array, both checked.
struct GptCopy {
  GptHeader header;
  std::vector<uint8_t> sector;  // that the header lies in, as it is there
  std::vector<uint8_t> array;   // header.array_bytes() of them
};

// The checksum of the header of `header_bytes` in a sector: of the header as it was while the checksum was not there
// yet.
uint32_t GptHeaderCrc(std::vector<uint8_t> sector, size_t header_bytes);
GptHeader DecodeGptHeader(const uint8_t* bytes);                // of kGptHeaderBytes
void EncodeGptHeader(const GptHeader& header, uint8_t* bytes);  // of kGptHeaderBytes
GptEntry DecodeGptEntry(const uint8_t* bytes);                  // of kGptEntryBytes
void EncodeGptEntry(const GptEntry& entry, uint8_t* bytes);     // of kGptEntryBytes

// Units of the label up to its first NUL.
std::u16string LabelOf(const GptEntry& entry);
// Whether the entry is in use, and a partition that a table shows: it does not end before it begins, or beyond what a
// JavaScript number can name.
bool IsShown(const GptEntry& entry, uint64_t sector_size);

// What the sectors of a GPT say. A header that does not hold is a verdict, and the other one is used.
struct GptFound {
  bool signature = false;          // the primary header's place has the signature
  std::optional<GptCopy> primary;  // none: damaged, or about another medium than the backup
  std::optional<GptCopy> backup;
  uint64_t backup_lba = 0;  // where the backup was looked for last
  uint64_t too_large = 0;   // bytes of an array that a good header has, and that are more than are read; 0: none

  bool any() const { return primary || backup; }
};
// Errors: those of source.Read().
Result<GptFound> FindGpt(TableSource& source, uint64_t sector_size);

// Sizes of sectors in which a GPT of this medium may count, the likeliest first: the medium's own, and the others that
// disks have, since an image may have been made on a disk with other sectors than it is read with.
std::vector<uint64_t> GptSectorSizes(const TableSource& source);

// The table that `found` says, with verdicts: the primary copy's, else the backup's. With neither a table without
// entries and the verdict kHeaderBad, or kArrayTooLarge.
PartitionTable ToTable(const GptFound& found, uint64_t medium_size, uint64_t sector_size);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_GPT_H_
