#include "core/label/gpt.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/label/crc32.h"

namespace blk {
namespace {

// The fields in the order of the medium, as in disk_label.cc: one list for reading and writing.
template <typename Header, typename Visitor>
void VisitGptHeader(Header& header, Visitor&& visit) {
  visit(header.signature);
  visit(header.revision);
  visit(header.header_bytes);
  visit(header.header_crc);
  visit(header.reserved);
  visit(header.own_lba);
  visit(header.other_lba);
  visit(header.first_usable);
  visit(header.last_usable);
  visit(header.disk_guid.bytes);
  visit(header.array_lba);
  visit(header.entry_count);
  visit(header.entry_bytes);
  visit(header.array_crc);
}

template <typename Entry, typename Visitor>
void VisitGptEntry(Entry& entry, Visitor&& visit) {
  visit(entry.type.bytes);
  visit(entry.uuid.bytes);
  visit(entry.first);
  visit(entry.last);
  visit(entry.attributes);
  visit(entry.label);
}

// Whether the numbers of a header, whose checksum holds, can be those of a medium of `sectors` sectors.
bool Holds(const GptHeader& header, uint64_t lba, uint64_t sectors, uint64_t sector_size) {
  const bool sizes = header.entry_bytes >= kGptEntryBytes && IsPowerOfTwo(header.entry_bytes) && header.entry_count > 0;
  if (!sizes || header.own_lba != lba) return false;
  const uint64_t array_sectors = (header.array_bytes() + sector_size - 1) / sector_size;
  const bool array = header.array_lba > 0 && header.array_lba < sectors && array_sectors <= sectors - header.array_lba;
  // A medium that was cut short is told by a verdict: what lies before the cut is there still.
  const bool named = header.last_usable < kMaxSafeInteger / sector_size;
  return array && named && header.first_usable <= header.last_usable;
}

// The header in sector `lba` with its array, into `copy`, unless a signature, a checksum or a range does not hold.
Status ReadCopy(TableSource& source, uint64_t lba, uint64_t sector_size, std::optional<GptCopy>& copy,
                uint64_t& too_large) {
  const uint64_t sectors = source.size() / sector_size;
  if (lba == 0 || lba >= sectors) return Status::Ok();
  GptCopy read;
  read.sector.resize(sector_size);
  Status status = source.Read(lba * sector_size, read.sector.data(), read.sector.size());
  if (!status.ok()) return status;
  read.header = DecodeGptHeader(read.sector.data());
  const GptHeader& header = read.header;
  if (header.signature != kGptSignature) return status;
  if (header.header_bytes < kGptHeaderBytes || header.header_bytes > sector_size) return status;
  if (GptHeaderCrc(read.sector, header.header_bytes) != header.header_crc) return status;
  if (!Holds(header, lba, sectors, sector_size)) return status;
  if (header.array_bytes() > kMaxGptArray) return too_large = header.array_bytes(), status;

  // Of a size that is bounded: a number of the medium's never decides alone how much memory is taken.
  read.array.resize(header.array_bytes());
  status = source.Read(header.array_lba * sector_size, read.array.data(), read.array.size());
  if (!status.ok()) return status;
  if (Crc32(read.array.data(), read.array.size()) == header.array_crc) copy = std::move(read);
  return status;
}

// Whether a primary copy and its backup say the same, also of where the other one lies. Entries are compared, not
// arrays: what lies behind the last one of a smaller array is nobody's.
bool Agree(const GptCopy& a, const GptCopy& b) {
  return a.header.other_lba == b.header.own_lba && b.header.other_lba == a.header.own_lba &&
         a.header.disk_guid == b.header.disk_guid && a.header.first_usable == b.header.first_usable &&
         a.header.last_usable == b.header.last_usable && a.header.entry_bytes == b.header.entry_bytes &&
         a.array == b.array;
}

// An entry that makes no sense, or whose bytes no JavaScript number can name, is a verdict; the others are good all the
// same.
void AddEntries(PartitionTable& table, const GptCopy& copy) {
  const GptHeader& header = copy.header;
  for (uint32_t i = 0; i < header.entry_count; i++) {
    const GptEntry found = DecodeGptEntry(&copy.array[size_t{i} * header.entry_bytes]);
    if (found.type.empty()) continue;
    if (!IsShown(found, table.sector_size)) {
      const bool backwards = found.last < found.first;
      table.verdicts.push_back(
          {backwards ? Verdict::Kind::kBackwards : Verdict::Kind::kTooLarge, Verdict::kNoEntry, uint64_t{i}});
      continue;
    }
    PartitionEntry entry;
    entry.name = NumberedName('p', uint64_t{i} + 1);
    entry.index = i;
    entry.start = found.first * table.sector_size;
    entry.size = (found.last - found.first + 1) * table.sector_size;
    entry.type_guid = found.type;
    entry.uuid = found.uuid;
    entry.attributes = found.attributes;
    entry.label = LabelOf(found);
    table.partitions.push_back(std::move(entry));
  }
}

}  // namespace

std::u16string LabelOf(const GptEntry& entry) {
  const auto end = std::find(entry.label.begin(), entry.label.end(), u'\0');
  return std::u16string(entry.label.begin(), end);
}

bool IsShown(const GptEntry& entry, uint64_t sector_size) {
  return !entry.type.empty() && entry.first <= entry.last && entry.last < kMaxSafeInteger / sector_size;
}

uint32_t GptHeaderCrc(std::vector<uint8_t> sector, size_t header_bytes) {
  Store<uint32_t>(&sector[kGptHeaderCrcAt], 0);
  return Crc32(sector.data(), header_bytes);
}

GptHeader DecodeGptHeader(const uint8_t* bytes) {
  GptHeader header;
  VisitGptHeader(header, FieldLoader(bytes, ByteOrder::kLittle));
  return header;
}

void EncodeGptHeader(const GptHeader& header, uint8_t* bytes) {
  VisitGptHeader(header, FieldStorer(bytes, ByteOrder::kLittle));
}

GptEntry DecodeGptEntry(const uint8_t* bytes) {
  GptEntry entry;
  VisitGptEntry(entry, FieldLoader(bytes, ByteOrder::kLittle));
  return entry;
}

void EncodeGptEntry(const GptEntry& entry, uint8_t* bytes) {
  VisitGptEntry(entry, FieldStorer(bytes, ByteOrder::kLittle));
}

Result<GptFound> FindGpt(TableSource& source, uint64_t sector_size) {
  GptFound found;
  const uint64_t sectors = source.size() / sector_size;
  if (sectors < 2) return found;
  // By itself: a header that has it and does not hold is a damaged GPT, not the absence of one.
  std::array<uint8_t, 8> signature;
  const Status status = source.Read(sector_size, signature.data(), signature.size());
  if (!status.ok()) return status;
  found.signature = Load<uint64_t>(signature.data()) == kGptSignature;

  const Status read = ReadCopy(source, 1, sector_size, found.primary, found.too_large);
  if (!read.ok()) return read;
  // Where the primary says, so that a medium that was enlarged keeps its backup; else where it has to be.
  for (const uint64_t lba : {found.primary ? found.primary->header.other_lba : 0, sectors - 1}) {
    if (lba <= 1 || found.backup) continue;
    const Status backup = ReadCopy(source, lba, sector_size, found.backup, found.too_large);
    if (!backup.ok()) return backup;
    found.backup_lba = lba;
  }
  // Of two that hold, the one that is about this medium; a cut medium has no such backup.
  const auto fits = [&](const GptCopy& copy) { return copy.header.last_usable < sectors; };
  if (found.primary && found.backup && !fits(*found.primary) && fits(*found.backup)) found.primary.reset();
  return found;
}

std::vector<uint64_t> GptSectorSizes(const TableSource& source) {
  std::vector<uint64_t> sizes = {source.sector_size()};
  for (const uint64_t other : {uint64_t{512}, uint64_t{4096}, uint64_t{2048}, uint64_t{1024}}) {
    if (other != sizes.front()) sizes.push_back(other);
  }
  return sizes;
}

PartitionTable ToTable(const GptFound& found, uint64_t medium_size, uint64_t sector_size) {
  using Kind = Verdict::Kind;
  PartitionTable table;
  table.scheme = Scheme::kGpt;
  table.sector_size = sector_size;
  table.position = sector_size;
  if (!found.any()) {
    const bool large = found.too_large != 0;
    table.verdicts.push_back({large ? Kind::kArrayTooLarge : Kind::kHeaderBad, Verdict::kNoEntry, found.too_large});
    return table;
  }
  const GptCopy& copy = found.primary ? *found.primary : *found.backup;
  if (!found.primary) {
    table.verdicts.push_back({Kind::kBackupUsed});
    table.position = found.backup_lba * sector_size;
  } else if (!found.backup) {
    table.verdicts.push_back({Kind::kBackupBad});
  } else if (!Agree(*found.primary, *found.backup)) {
    table.verdicts.push_back({Kind::kBackupDiffers});
  }
  const uint64_t last = medium_size / sector_size - 1;
  if (copy.header.last_usable > last) {
    table.verdicts.push_back({Kind::kMediumCut, Verdict::kNoEntry, copy.header.last_usable});
  }
  if (found.backup && found.backup_lba != last) {
    table.verdicts.push_back({Kind::kBackupMisplaced, Verdict::kNoEntry, found.backup_lba});
  }
  table.disk_guid = copy.header.disk_guid;
  AddEntries(table, copy);
  const Container usable{copy.header.first_usable * sector_size, (copy.header.last_usable + 1) * sector_size, ""};
  JudgeRanges(table, usable, medium_size);
  return table;
}

}  // namespace blk
