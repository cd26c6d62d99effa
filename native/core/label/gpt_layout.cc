#include "core/label/gpt_layout.h"

#include <algorithm>
#include <utility>

namespace blk {
namespace {

// Where the array of a damaged primary header lies: where the backup's array is read again, else where the damaged
// header says, as far as that can be, else where everybody has it. What lies in front of the partitions may be a boot
// loader, which is why some arrays do not lie there.
Result<uint64_t> LostArray(TableSource& source, const GptCopy& backup, uint64_t ss) {
  constexpr uint64_t kUsual = 2;
  const uint64_t sectors = GptSectorsOf(backup.array.size(), ss);
  if (backup.header.first_usable < sectors + kUsual) return kUsual;
  const uint64_t last = backup.header.first_usable - sectors;
  std::vector<uint8_t> header(ss);
  Status status = source.Read(ss, header.data(), header.size());
  if (!status.ok()) return status;
  const GptHeader damaged = DecodeGptHeader(header.data());
  const bool believed = damaged.signature == kGptSignature && damaged.array_lba >= kUsual && damaged.array_lba <= last;
  const uint64_t said = believed ? damaged.array_lba : kUsual;
  for (const uint64_t lba : {said, kUsual, last}) {
    std::vector<uint8_t> array(backup.array.size());
    if (!source.Holds(lba * ss, array.size())) continue;
    status = source.Read(lba * ss, array.data(), array.size());
    if (!status.ok()) return status;
    if (array == backup.array) return lba;
  }
  return said;
}

// Whether `bytes` are a part of an array: entries, of partitions that a medium of `sectors` can have, and zeros.
bool AreEntries(const std::vector<uint8_t>& bytes, size_t entry_bytes, uint64_t sectors) {
  for (size_t at = 0; at < bytes.size(); at += entry_bytes) {
    const auto begin = bytes.begin() + static_cast<ptrdiff_t>(at);
    const auto end = bytes.begin() + static_cast<ptrdiff_t>(std::min(bytes.size(), at + entry_bytes));
    if (std::all_of(begin, end, [](uint8_t byte) { return byte == 0; })) continue;
    if (bytes.size() - at < kGptEntryBytes) return false;
    const GptEntry entry = DecodeGptEntry(&bytes[at]);
    const bool named = !entry.type.empty() && !entry.uuid.empty();
    if (!named || entry.first == 0 || entry.first > entry.last || entry.last >= sectors) return false;
  }
  return true;
}

}  // namespace

uint64_t GptSectorsOf(uint64_t bytes, uint64_t sector_size) { return (bytes + sector_size - 1) / sector_size; }

GptLayout FreshGptLayout(uint32_t slots, uint64_t sectors, uint64_t ss) {
  GptLayout layout;
  GptHeader& header = layout.primary;
  header.entry_count = std::max(kGptEntryCount, (slots + 3) / 4 * 4);
  const uint64_t array = GptSectorsOf(header.array_bytes(), ss);
  header.array_lba = 2;
  header.first_usable = header.array_lba + array;
  header.last_usable = sectors - std::min(sectors, array + 2);
  header.own_lba = 1;
  header.other_lba = sectors - 1;
  layout.backup = header;
  std::swap(layout.backup.own_lba, layout.backup.other_lba);
  layout.backup.array_lba = sectors - 1 - std::min(sectors - 1, array);
  layout.moves = true;
  return layout;
}

Result<GptLayout> KeptGptLayout(TableSource& source, const GptFound& found, uint32_t slots, uint64_t ss) {
  const uint64_t sectors = source.size() / ss;
  const GptCopy& old = found.primary ? *found.primary : *found.backup;
  GptLayout layout{old.header, found.backup ? found.backup->header : old.header, false};
  GptHeader& primary = layout.primary;
  if (found.primary) {
    primary.array_lba = old.header.array_lba;
  } else {
    auto lost = LostArray(source, old, ss);
    if (!lost.ok()) return lost.status();
    primary.array_lba = lost.value();
  }
  const bool grows = slots > old.header.entry_count;
  if (grows) primary.entry_count = (slots + 3) / 4 * 4;
  const uint64_t array = GptSectorsOf(primary.array_bytes(), ss);
  primary.first_usable = std::max(primary.first_usable, grows ? primary.array_lba + array : 0);
  // Only one that is in its place, and has room for all the slots, keeps its array.
  const bool in_place = found.backup && found.backup_lba == sectors - 1;
  const bool kept = in_place && !grows && found.backup->array.size() == old.array.size();
  GptHeader& backup = layout.backup;
  if (!kept) backup.array_lba = sectors - 1 - std::min(sectors - 1, array);
  const uint64_t old_last = found.primary ? old.header.other_lba : found.backup_lba;
  if (old_last < sectors - 1) primary.last_usable = backup.array_lba - 1;
  if (!kept) primary.last_usable = std::min(primary.last_usable, backup.array_lba - 1);
  layout.moves = !kept || !found.primary || grows;
  primary.own_lba = backup.other_lba = 1;
  primary.other_lba = backup.own_lba = sectors - 1;
  backup.first_usable = primary.first_usable;
  backup.last_usable = primary.last_usable;
  backup.entry_count = primary.entry_count;
  backup.entry_bytes = primary.entry_bytes;
  return layout;
}

Result<bool> GptGrowsOver(TableSource& source, const GptFound& found, const GptLayout& layout, uint64_t ss) {
  const GptCopy& old = found.primary ? *found.primary : *found.backup;
  const uint64_t medium = source.size() / ss;
  const uint64_t sectors = GptSectorsOf(layout.primary.array_bytes(), ss);
  const uint64_t before = GptSectorsOf(old.array.size(), ss);
  const uint64_t backup = layout.backup.array_lba;
  // That of a damaged backup is taken to lie where everybody has it.
  const uint64_t usual = medium - 1 - std::min(medium - 1, before);
  const uint64_t lost = old.header.last_usable < usual ? usual : backup + sectors;
  const uint64_t old_backup = found.backup ? found.backup->header.array_lba : lost;
  const std::pair<uint64_t, uint64_t> stretches[] = {
      {layout.primary.array_lba + before, sectors - before},
      {backup, std::min(sectors, old_backup - std::min(backup, old_backup))},
  };
  for (const auto& [lba, count] : stretches) {
    std::vector<uint8_t> bytes(count * ss);
    if (!source.Holds(lba * ss, bytes.size())) return true;
    const Status status = bytes.empty() ? Status::Ok() : source.Read(lba * ss, bytes.data(), bytes.size());
    if (!status.ok()) return status;
    if (!AreEntries(bytes, old.header.entry_bytes, medium)) return true;
  }
  return false;
}

}  // namespace blk
