#include "core/label/mbr.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <utility>

namespace blk {
namespace {

// The first bytes of file systems that have the signature, too.
bool IsFileSystem(const MbrImage& bytes) {
  const auto says = [&](size_t at, const char* text) { return std::memcmp(&bytes[at], text, std::strlen(text)) == 0; };
  return says(3, "NTFS    ") || says(3, "EXFAT   ") || says(54, "FAT") || says(82, "FAT32");
}

PartitionEntry ToEntry(const MbrEntry& from, uint32_t index, uint64_t base, uint64_t sector_size) {
  PartitionEntry entry;
  entry.index = index;
  entry.start = (base + from.start) * sector_size;
  entry.size = from.sectors * sector_size;
  entry.type = from.type;
  entry.bootable = (from.boot_flag & kMbrBootable) != 0;
  return entry;
}

// Follows the chain of the extended partition `extended`; `next_number` is that of the next logical partition.
class ChainReader {
 public:
  ChainReader(TableSource& source, const PartitionEntry& extended, uint64_t sector_size)
      : source_(source), extended_(extended), sector_size_(sector_size), base_(extended.start / sector_size) {
    table_.scheme = Scheme::kEbr;
    table_.position = extended.start;
    table_.sector_size = sector_size;
  }

  Result<PartitionTable> Run(uint32_t& next_number) {
    uint64_t at = base_;
    for (bool more = true; more;) {
      MbrImage bytes;
      if (!MayVisit(at)) break;
      const Status status = source_.Read(at * sector_size_, bytes.data(), bytes.size());
      if (!status.ok()) return status;
      more = Take(DecodeMbr(bytes), at, next_number);
    }
    JudgeRanges(table_, {extended_.start, extended_.end(), ""}, source_.size());
    return std::move(table_);
  }

 private:
  void Note(Verdict::Kind kind, uint64_t value) { table_.verdicts.push_back({kind, Verdict::kNoEntry, value}); }

  // Each link is a number of the medium's: it may lead out of the partition that has the chain, or in circles.
  bool MayVisit(uint64_t at) {
    const uint64_t position = at * sector_size_;
    const bool inside = position >= extended_.start && position < extended_.end();
    if (!inside || !source_.Holds(position, kMbrBytes)) return Note(Verdict::Kind::kChainLeaves, at), false;
    if (!visited_.insert(at).second) return Note(Verdict::Kind::kChainLoops, at), false;
    if (visited_.size() > kMaxLogical) return Note(Verdict::Kind::kChainTooLong, kMaxLogical), false;
    return true;
  }

  // One sector of the chain: at most one partition, relative to the sector, and one link, relative to the chain's
  // first sector. -> whether there is a next one, in `at`.
  bool Take(const MbrSector& sector, uint64_t& at, uint32_t& next_number) {
    if (!sector.has_signature) return Note(Verdict::Kind::kChainBroken, at), false;
    const MbrEntry* link = nullptr;
    bool taken = false;
    for (const MbrEntry& found : sector.entries) {
      if (!found.used()) continue;
      if (IsExtended(found.type) && link == nullptr) {
        link = &found;
      } else if (!IsExtended(found.type) && !taken) {
        taken = true;
        const uint32_t index = static_cast<uint32_t>(table_.partitions.size());
        table_.partitions.push_back(ToEntry(found, index, at, sector_size_));
        table_.partitions.back().name = NumberedName('s', next_number++);
      } else {
        Note(Verdict::Kind::kExtraEntry, at);
      }
    }
    if (link == nullptr) return false;
    at = base_ + link->start;
    return true;
  }

  TableSource& source_;
  const PartitionEntry& extended_;
  const uint64_t sector_size_;
  const uint64_t base_;  // sectors
  PartitionTable table_;
  std::set<uint64_t> visited_;
};

}  // namespace

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

Result<PartitionTable> ReadMbr(TableSource& source, const MbrImage& sector0, uint64_t sector_size) {
  const MbrSector sector = DecodeMbr(sector0);
  PartitionTable table;
  table.scheme = Scheme::kMbr;
  table.sector_size = sector_size;
  table.disk_id = sector.disk_id;
  for (uint32_t i = 0; i < kMbrSlots; i++) {
    if (!sector.entries[i].used()) continue;
    table.partitions.push_back(ToEntry(sector.entries[i], i, 0, sector_size));
    table.partitions.back().name = NumberedName('s', i + 1);
  }
  JudgeRanges(table, {0, source.size(), ""}, source.size());
  uint32_t next_number = kMbrSlots + 1;
  for (PartitionEntry& entry : table.partitions) {
    if (!IsExtended(entry.type)) continue;
    auto chain = ChainReader(source, entry, sector_size).Run(next_number);
    if (!chain.ok()) return chain.status();
    entry.table = std::make_unique<PartitionTable>(chain.Take());
  }
  return table;
}

}  // namespace blk
