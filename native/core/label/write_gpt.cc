// PlanGpt: a table over the one that lies there: its layout stays, and every byte that says the same. The backup header
// and its array first, then the primary ones and the protective MBR; the other way round where the backup alone holds.
// At every moment one of the two copies does, if one did before.
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "core/label/crc32.h"
#include "core/label/gpt.h"
#include "core/label/gpt_layout.h"
#include "core/label/hybrid_mbr.h"
#include "core/label/write_table.h"

namespace blk {
namespace {

using Kind = Verdict::Kind;

// Whether the partition of a slot is to go on, changed as it may be, or another one comes in its place.
bool IsSame(const GptEntry& old, const GptEntry& entry) { return old.uuid == entry.uuid || old.first == entry.first; }

GptEntry ToGptEntry(const PartitionEntry& from, const GptEntry& old, uint64_t ss) {
  GptEntry entry;
  entry.type = from.type_guid;
  entry.uuid = from.uuid;
  entry.first = from.start / ss;
  entry.last = from.end() / ss - 1;
  entry.attributes = from.attributes;
  // What lies behind the NUL of a label stays with the label.
  const bool same = !old.type.empty() && LabelOf(old) == from.label;
  if (same) entry.label = old.label;
  if (!same) std::copy_n(from.label.begin(), std::min(from.label.size(), entry.label.size()), entry.label.begin());
  return entry;
}

// The entries that lie there, with those of the table that differ. What is no partition that a table shows stays,
// unless its slot is asked for.
std::vector<uint8_t> EncodeArray(const PartitionTable& table, const GptHeader& header, std::vector<uint8_t> array) {
  array.resize(header.array_bytes());
  auto next = table.partitions.begin();
  for (uint32_t slot = 0; slot < header.entry_count; slot++) {
    uint8_t* at = &array[size_t{slot} * header.entry_bytes];
    const GptEntry old = DecodeGptEntry(at);
    const bool asked = next != table.partitions.end() && next->index == slot;
    if (!asked) {
      if (IsShown(old, table.sector_size)) std::fill_n(at, header.entry_bytes, uint8_t{0});
      continue;
    }
    const GptEntry entry = ToGptEntry(*next++, old, table.sector_size);
    if (!IsShown(old, table.sector_size) || !IsSame(old, entry)) std::fill_n(at, header.entry_bytes, uint8_t{0});
    EncodeGptEntry(entry, at);
  }
  return array;
}

// One copy: its array and then its header, each in the bytes of its sectors that are not its own.
// `sector`: of the copy that holds; a damaged one is its like, as far as it does not say something else behind its
// header.
Status AddCopy(TableSource& source, std::vector<TableWrite>& step, const GptHeader& header, std::vector<uint8_t> sector,
               const std::vector<uint8_t>& array, uint64_t ss) {
  auto entries = ReadForWrite(source, header.array_lba * ss, GptSectorsOf(array.size(), ss) * ss);
  if (!entries.ok()) return entries.status();
  std::copy(array.begin(), array.end(), entries.value().bytes.begin());
  step.push_back(entries.Take());
  const auto there = ReadForWrite(source, header.own_lba * ss, ss);
  if (!there.ok()) return there.status();
  const std::vector<uint8_t>& old = there.value().bytes;
  if (Load<uint64_t>(old.data()) == kGptSignature) {
    std::copy(old.begin() + header.header_bytes, old.end(), sector.begin() + header.header_bytes);
  }
  EncodeGptHeader(header, sector.data());
  Store<uint32_t>(&sector[kGptHeaderCrcAt], GptHeaderCrc(sector, header.header_bytes));
  step.push_back({header.own_lba * ss, std::move(sector)});
  return Status::Ok();
}

void JudgeGpt(PartitionTable& table, const GptHeader& header, uint64_t medium_size, const OldTable& old) {
  const uint64_t ss = table.sector_size;
  JudgeChange(table, {header.first_usable * ss, (header.last_usable + 1) * ss, ""}, medium_size, old);
  for (PartitionEntry& entry : table.partitions) {
    const int place = static_cast<int>(&entry - table.partitions.data());
    if (entry.type_guid.empty()) table.verdicts.push_back({Kind::kBadType, place});
    if (entry.table) table.verdicts.push_back({Kind::kBadNesting, place});
  }
}

// The partitions that lie there, and the area they have to lie in; none when a copy moves, since what lay outside of
// that area was out of its way before, and now may not be.
OldTable OldOf(const PartitionTable* there, const GptFound& found, const GptLayout& layout, uint64_t ss) {
  OldTable old{there, {}};
  if (there == nullptr) return old;
  const GptHeader& header = found.primary ? found.primary->header : found.backup->header;
  if (!layout.moves) old.container = {header.first_usable * ss, (header.last_usable + 1) * ss, ""};
  if (layout.moves) old.container = {0, UINT64_MAX, ""};
  return old;
}

// Names the entries, and finds the layout. -> nothing with a verdict.
Result<std::optional<GptLayout>> PlanLayout(TableSource& source, PartitionTable& table, const GptFound& found,
                                            bool goes_on) {
  using Nothing = std::optional<GptLayout>;
  const uint64_t ss = table.sector_size;
  const uint64_t sectors = source.size() / ss;
  const GptCopy* old = !goes_on ? nullptr : found.primary ? &*found.primary : &*found.backup;
  TakeIndices(table, [&](uint32_t slot) {
    if (old == nullptr || slot >= old->header.entry_count) return false;
    const GptEntry entry = DecodeGptEntry(&old->array[size_t{slot} * old->header.entry_bytes]);
    return !entry.type.empty() && !IsShown(entry, ss);
  });
  const uint64_t slots_there = old != nullptr ? old->header.entry_count : 0;
  const uint64_t entry_bytes = old != nullptr ? old->header.entry_bytes : kGptEntryBytes;
  JudgeEntries(table, std::max(slots_there, kMaxNewGptArray / entry_bytes));
  for (PartitionEntry& entry : table.partitions) entry.name = NumberedName('p', uint64_t{entry.index} + 1);
  if (!table.verdicts.empty()) return Nothing();
  const uint32_t slots = table.partitions.empty() ? 0 : table.partitions.back().index + 1;
  GptLayout layout;
  if (old == nullptr) {
    layout = FreshGptLayout(slots, sectors, ss);
  } else {
    auto kept = KeptGptLayout(source, found, slots, ss);
    if (!kept.ok()) return kept.status();
    layout = kept.Take();
    const bool grows = layout.primary.entry_count != old->header.entry_count;
    const auto over = grows ? GptGrowsOver(source, found, layout, ss) : Result<bool>(false);
    if (!over.ok()) return over.status();
    if (over.value()) return table.verdicts.push_back({Kind::kNoRoom}), Nothing();
  }
  if (sectors < 4 || layout.primary.first_usable > layout.primary.last_usable) {
    return table.verdicts.push_back({Kind::kNoRoom}), Nothing();
  }
  return Nothing(layout);
}

}  // namespace

Status PlanGpt(TableSource& source, PartitionTable& table, const PartitionTable* there, TablePlan& plan) {
  const uint64_t ss = table.sector_size;
  const uint64_t sectors = source.size() / ss;
  auto read = FindGpt(source, ss);
  if (!read.ok()) return read.status();
  const GptFound& found = read.value();
  // What was read from two damaged headers is empty, and writing it back would take the last that could be mended.
  if (there != nullptr && !found.any() && (table.partitions.empty() || found.too_large != 0)) {
    table.verdicts.push_back(
        {found.too_large != 0 ? Kind::kArrayTooLarge : Kind::kHeaderBad, Verdict::kNoEntry, found.too_large});
    return Status::Ok();
  }
  const bool goes_on = there != nullptr && found.any();
  const auto planned = PlanLayout(source, table, found, goes_on);
  if (!planned.ok() || !planned.value()) return planned.status();
  GptLayout layout = *planned.value();
  const OldTable old = goes_on ? OldOf(there, found, layout, ss) : OldTable();
  JudgeGpt(table, layout.primary, source.size(), old);
  if (!table.verdicts.empty()) return Status::Ok();
  const GptCopy* copy = !goes_on ? nullptr : found.primary ? &*found.primary : &*found.backup;
  const GptCopy* other = goes_on && found.backup ? &*found.backup : copy;
  const uint64_t was = copy == nullptr ? sectors : std::max(copy->header.own_lba, copy->header.other_lba) + 1;
  auto mbr = PlanHybrid(source, table, old, {was, sectors});
  if (!mbr.ok() || !table.verdicts.empty()) return mbr.status();

  const std::vector<uint8_t> nothing(ss);
  const auto array = EncodeArray(table, layout.primary, copy != nullptr ? copy->array : std::vector<uint8_t>());
  for (GptHeader* header : {&layout.primary, &layout.backup}) {
    header->disk_guid = table.disk_guid;
    header->array_crc = Crc32(array.data(), array.size());
  }
  // The copy that holds is written over last, when the other one is on the medium.
  const bool backup_holds_alone = goes_on && !found.primary;
  TablePlan steps(2);
  Status status = AddCopy(source, steps[backup_holds_alone ? 1 : 0], layout.backup,
                          other != nullptr ? other->sector : nothing, array, ss);
  if (!status.ok()) return status;
  status = AddCopy(source, steps[backup_holds_alone ? 0 : 1], layout.primary, copy != nullptr ? copy->sector : nothing,
                   array, ss);
  if (!status.ok()) return status;
  // Where no GPT can be read the MBR announces the backup before the array of the primary copy takes what lies there: a
  // label does at 4096.
  if (!goes_on && !found.primary) {
    steps.insert(steps.begin() + 1, {mbr.Take()});
  } else {
    steps[1].push_back(mbr.Take());
  }
  for (auto& step : steps) plan.push_back(std::move(step));
  return Status::Ok();
}

}  // namespace blk
