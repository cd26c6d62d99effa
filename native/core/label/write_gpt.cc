// PlanGpt: the backup header and its array first, then the primary ones and the protective MBR; the other way round
// where the backup alone holds. At every moment one of the two copies does, if one did before.
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "core/label/crc32.h"
#include "core/label/gpt.h"
#include "core/label/mbr.h"
#include "core/label/read_table.h"
#include "core/label/write_table.h"

namespace blk {
namespace {

using Kind = Verdict::Kind;

uint64_t SectorsOf(uint64_t bytes, uint64_t sector_size) { return (bytes + sector_size - 1) / sector_size; }

// The header that the new one goes on from: the one on the medium, if it fits it, else a fresh one.
GptHeader Layout(const GptFound& found, const PartitionTable& table, uint64_t sectors) {
  GptHeader header;
  uint32_t slots = kGptEntryCount;
  for (const PartitionEntry& entry : table.partitions) slots = std::max(slots, entry.index + 1);
  const GptCopy* old = found.primary ? &*found.primary : found.backup ? &*found.backup : nullptr;
  if (old != nullptr && old->header.entry_count >= slots) {
    header.entry_count = old->header.entry_count;
    header.entry_bytes = old->header.entry_bytes;
  } else {
    header.entry_count = (slots + 3) / 4 * 4;
  }
  const uint64_t array = SectorsOf(header.array_bytes(), table.sector_size);
  // Only the primary header knows where its array lies.
  header.array_lba = found.primary ? std::max<uint64_t>(found.primary->header.array_lba, 2) : 2;
  header.first_usable = header.array_lba + array;
  header.last_usable = sectors - std::min(sectors, array + 2);
  const bool kept = old != nullptr && old->header.entry_count == header.entry_count &&
                    old->header.entry_bytes == header.entry_bytes && old->header.first_usable >= header.first_usable;
  if (kept) {
    header.first_usable = old->header.first_usable;
    // A medium that has not grown keeps its end as well.
    const bool grown = found.primary && old->header.other_lba != sectors - 1;
    if (!grown) header.last_usable = std::min(header.last_usable, old->header.last_usable);
  } else {
    header.array_lba = 2;
    header.first_usable = 2 + array;
  }
  header.disk_guid = table.disk_guid;
  return header;
}

std::vector<uint8_t> EncodeArray(const PartitionTable& table, const GptHeader& header) {
  std::vector<uint8_t> array(header.array_bytes());
  for (const PartitionEntry& from : table.partitions) {
    GptEntry entry;
    entry.type = from.type_guid;
    entry.uuid = from.uuid;
    entry.first = from.start / table.sector_size;
    entry.last = from.end() / table.sector_size - 1;
    entry.attributes = from.attributes;
    std::copy_n(from.label.begin(), std::min(from.label.size(), entry.label.size()), entry.label.begin());
    EncodeGptEntry(entry, &array[size_t{from.index} * header.entry_bytes]);
  }
  return array;
}

void AddCopy(std::vector<TableWrite>& step, const GptHeader& header, std::vector<uint8_t> array, uint64_t sector_size) {
  TableWrite write{header.own_lba * sector_size, std::vector<uint8_t>(sector_size)};
  EncodeGptHeader(header, write.bytes.data());
  const uint32_t crc = Crc32(write.bytes.data(), kGptHeaderBytes);
  Store<uint32_t>(&write.bytes[kGptHeaderCrcAt], crc);
  array.resize(SectorsOf(array.size(), sector_size) * sector_size);
  step.push_back({header.array_lba * sector_size, std::move(array)});
  step.push_back(std::move(write));
}

// One that is protective already stays, with what else it has in a hybrid one; boot code stays in any case.
Result<TableWrite> ProtectiveMbr(TableSource& source, uint64_t sectors) {
  auto write = ReadForWrite(source, 0, kMbrBytes);
  if (!write.ok()) return write;
  std::vector<uint8_t>& bytes = write.value().bytes;
  const uint32_t size = static_cast<uint32_t>(std::min<uint64_t>(sectors - 1, std::numeric_limits<uint32_t>::max()));
  MbrImage image;
  std::copy_n(bytes.begin(), image.size(), image.begin());
  const MbrSector old = DecodeMbr(image);
  const bool whole = std::any_of(old.entries.begin(), old.entries.end(), [&](const MbrEntry& entry) {
    return entry.type == kMbrProtective && (entry.sectors == size || entry.sectors == UINT32_MAX || entry.start != 1);
  });
  if (IsPartitionSector(image) && whole) return write;
  uint8_t* at = &bytes[kMbrEntriesAt];
  std::fill_n(at, kMbrSlots * kMbrEntryBytes, uint8_t{0});
  at[2] = 2;
  at[4] = kMbrProtective;
  std::fill_n(at + 5, 3, uint8_t{0xff});
  Store<uint32_t>(at + 8, 1);
  Store<uint32_t>(at + 12, size);
  Store<uint16_t>(&bytes[kMbrSignatureAt], kMbrSignature);
  return write;
}

bool IsWreck(const std::optional<PartitionTable>& there) {
  if (!there || there->scheme != Scheme::kGpt) return false;
  return std::any_of(there->verdicts.begin(), there->verdicts.end(),
                     [](const Verdict& verdict) { return verdict.kind == Kind::kHeaderBad; });
}

void JudgeGpt(PartitionTable& table, const GptHeader& header, uint64_t medium_size) {
  const uint64_t ss = table.sector_size;
  JudgeRanges(table, {header.first_usable * ss, (header.last_usable + 1) * ss, ""}, medium_size);
  for (PartitionEntry& entry : table.partitions) {
    const int place = static_cast<int>(&entry - table.partitions.data());
    if (entry.type_guid.empty()) table.verdicts.push_back({Kind::kBadType, place});
    if (entry.table) table.verdicts.push_back({Kind::kBadNesting, place});
  }
}

}  // namespace

Status PlanGpt(TableSource& source, PartitionTable& table, TablePlan& plan) {
  const uint64_t ss = table.sector_size;
  const uint64_t sectors = source.size() / ss;
  auto found = FindGpt(source, ss);
  if (!found.ok()) return found.status();
  JudgeEntries(table, kMaxGptArray / kGptEntryBytes);
  for (PartitionEntry& entry : table.partitions) entry.name = NumberedName('p', uint64_t{entry.index} + 1);
  if (!table.verdicts.empty()) return Status::Ok();
  // What was read from two damaged headers is empty, and writing it back would take the last that could be mended.
  if (table.partitions.empty()) {
    const auto there = ReadPartitionTable(source);
    if (!there.ok()) return there.status();
    if (IsWreck(there.value())) return table.verdicts.push_back({Kind::kHeaderBad}), Status::Ok();
  }
  GptHeader header = Layout(found.value(), table, sectors);
  if (header.first_usable > header.last_usable) return table.verdicts.push_back({Kind::kNoRoom}), Status::Ok();
  JudgeGpt(table, header, source.size());
  if (!table.verdicts.empty()) return Status::Ok();

  const std::vector<uint8_t> array = EncodeArray(table, header);
  header.array_crc = Crc32(array.data(), array.size());
  header.own_lba = 1;
  header.other_lba = sectors - 1;
  GptHeader backup = header;
  std::swap(backup.own_lba, backup.other_lba);
  backup.array_lba = sectors - 1 - SectorsOf(array.size(), ss);
  auto mbr = ProtectiveMbr(source, sectors);
  if (!mbr.ok()) return mbr.status();
  // The copy that holds is written over last, when the other one is on the medium.
  const bool backup_holds_alone = !found.value().primary && found.value().backup;
  TablePlan steps(2);
  AddCopy(steps[backup_holds_alone ? 1 : 0], backup, array, ss);
  AddCopy(steps[backup_holds_alone ? 0 : 1], header, array, ss);
  steps[1].push_back(mbr.Take());
  for (auto& step : steps) plan.push_back(std::move(step));
  return Status::Ok();
}

}  // namespace blk
