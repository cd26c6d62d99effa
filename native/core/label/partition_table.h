// PartitionTable: how a medium is divided, whatever the scheme, as read from it or as to be written to it. Positions
// and sizes are bytes from the start of the medium. A partition may hold a table of its own: a tree.
// Plain data.
#ifndef RUMPBLK_CORE_LABEL_PARTITION_TABLE_H_
#define RUMPBLK_CORE_LABEL_PARTITION_TABLE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/byte_order.h"
#include "core/base/units.h"
#include "core/label/guid.h"
#include "core/label/verdict.h"

namespace blk {

// bsd: a disklabel. mbr: the four entries of sector 0. ebr: the chain of an extended partition. gpt: UEFI's. Read, and
// not written: apm, Apple's map; sun, the label of a SPARC disk; unknown, one that is only recognised, whose name a
// verdict tells. Their names cross by addon/layout.cc.
enum class Scheme : uint8_t { kBsd, kMbr, kEbr, kGpt, kApm, kSun, kUnknown };

constexpr bool IsReadOnly(Scheme scheme) { return scheme >= Scheme::kApm; }

// Whose numbers the types of a disklabel are. The order is a contract with lib/label/types.ts.
enum class BsdFlavor : uint8_t { kNetBsd, kFreeBsd, kOpenBsd };

struct PartitionTable;

// What lies in a partition, by the names of libblkid.
struct ContentIdentity {
  std::string type;   // 'ext4', 'vfat', 'crypto_LUKS', ...
  std::string uuid;   // as it is written; empty where it has none
  std::string label;  // in the bytes of the medium, Unicode as UTF-8; empty where it has none
};

// `start` and `size` come from the medium or from a caller, and may lie anywhere; end() does not overflow, since 32-bit
// schemes do not reach so far, and the decoder of GPT and lib refuse what lies beyond 2^53.
struct PartitionEntry {
  // Index of an entry to be written that takes the first place where nothing lies.
  static constexpr uint32_t kAnyIndex = UINT32_MAX;

  std::string name;    // 'a', 's1', 's5', 'p2', 's1a': one path from the top, unique in the tree
  uint32_t index = 0;  // place in its table, from 0
  uint64_t start = 0;  // bytes
  uint64_t size = 0;   // bytes
  uint8_t type = 0;    // fstype, type byte of an MBR, or tag of a Sun label
  bool bootable = false;
  bool usable = false;           // lies inside the medium and what contains it, so that it can become a device
  std::optional<uint64_t> link;  // ebr: position of the sector that points to it, where it has been read
  Guid type_guid;                // gpt
  Guid uuid;                     // gpt
  uint64_t attributes = 0;       // gpt
  std::u16string label;          // gpt, apm
  std::string type_text;         // apm
  std::unique_ptr<PartitionTable> table;
  std::optional<ContentIdentity> content;  // where IdentifyContents() has looked and found something

  uint64_t end() const { return start + size; }
};

// Move-only, through its entries. Verdicts name entries by their place in `partitions`, not by index: whoever sorts or
// removes entries judges again.
struct PartitionTable {
  Scheme scheme = Scheme::kMbr;
  uint64_t position = 0;  // bytes, where it was found
  uint64_t sector_size = kDevBsize;
  ByteOrder order = ByteOrder::kLittle;   // bsd
  BsdFlavor flavor = BsdFlavor::kNetBsd;  // bsd
  std::string duid;                       // bsd, of OpenBSD: what it knows the disk by, as 16 hexadecimal digits
  uint32_t disk_id = 0;                   // mbr
  Guid disk_guid;                         // gpt
  // Bytes of the medium that its partitions may lie in; JudgeRanges() fills them in. Empty where nothing is known.
  uint64_t usable_begin = 0;
  uint64_t usable_end = 0;
  Verdicts verdicts;
  std::vector<PartitionEntry> partitions;  // the used ones, by index
  // gpt: the entries of the MBR in front of it, where it has others than protective ones. To be written: what it is to
  // have, none for a protective entry alone, and nothing for what it has.
  std::optional<std::vector<PartitionEntry>> hybrid;
};

// The stretch of the medium that the entries of a table have to lie in, and how their names begin.
struct Container {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::string prefix;

  bool Contains(uint64_t from, uint64_t to) const { return begin <= from && from <= to && to <= end; }
};

// Sets what is usable of the table and `usable` of the entries, and adds a verdict for each that is not, and for each
// that shares sectors with one before it. Entries of a label without a type get no verdict: those that cover the disk
// or the slice, as c and d do, are a name for all of it and claim nothing.
void JudgeRanges(PartitionTable& table, const Container& container, uint64_t medium_size);

// What lies on the medium in place of a table that is to be written, and what its entries have to lie in.
struct OldTable {
  const PartitionTable* table = nullptr;  // none: nothing, or another scheme
  Container container;
};
// The entry of `old` that `entry` goes on from: the one with its index, in a chain, whose entries are counted, with its
// start; nullptr when there is none.
const PartitionEntry* OldEntry(const OldTable& old, const PartitionEntry& entry);

// JudgeRanges() for a table that is to be written, less the flaws that were there before and are no worse: an entry
// that lies wrong lay there already, or on more; two that overlap did so on the same sectors, or on more.
void JudgeChange(PartitionTable& table, const Container& container, uint64_t medium_size, const OldTable& old);

// Takes back the verdicts on `table`, which is to be written over `old`, that are true of `old` as well and not worse:
// ranges that lie outside of what has to contain them, and overlaps, of entries whose range is the same in both.
void ForgiveOldFlaws(PartitionTable& table, const PartitionTable& old);

struct FoundPartition {
  const PartitionTable* table;  // that the entry is in
  const PartitionEntry* entry;
};
// The entry with this name anywhere in the tree, else the one with this unique GUID, else the one with this GPT label
// (UTF-8); nothing when there is none or more than one.
std::optional<FoundPartition> FindPartition(const PartitionTable& table, std::string_view name);

// 's5', 'p2': the name of an entry that its table numbers.
std::string NumberedName(char letter, uint64_t number);

// UTF-16 as UTF-8; a surrogate without its other half becomes U+FFFD.
std::string ToUtf8(std::u16string_view text);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_PARTITION_TABLE_H_
