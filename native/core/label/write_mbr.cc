// PlanMbr: sector 0, and the sectors of the chain of an extended partition.
#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "core/label/mbr.h"
#include "core/label/write_table.h"

namespace blk {
namespace {

using Kind = Verdict::Kind;
constexpr uint32_t kHeads = 255;  // the geometry that everybody claims
constexpr uint32_t kTrack = 63;
constexpr uint32_t kMaxCylinder = 1023;
constexpr uint8_t kLinkType = 0x05;

void PutChs(uint8_t* at, uint64_t sector) {
  const uint64_t cylinder = sector / (kHeads * kTrack);
  const bool far = cylinder > kMaxCylinder;
  const uint32_t c = far ? kMaxCylinder : static_cast<uint32_t>(cylinder);
  at[0] = static_cast<uint8_t>(far ? kHeads - 1 : sector / kTrack % kHeads);
  at[1] = static_cast<uint8_t>((far ? kTrack : sector % kTrack + 1) | (c >> 8) << 6);
  at[2] = static_cast<uint8_t>(c);
}

// Writes an entry whose numbers count from `base`; one that says so already keeps its cylinders, whatever their
// geometry.
void PutEntry(uint8_t* at, uint8_t flag, uint8_t type, uint64_t base, uint64_t start, uint64_t sectors) {
  const bool same = at[4] == type && Load<uint32_t>(at + 8) == start && Load<uint32_t>(at + 12) == sectors;
  at[0] = flag;
  at[4] = type;
  Store<uint32_t>(at + 8, static_cast<uint32_t>(start));
  Store<uint32_t>(at + 12, static_cast<uint32_t>(sectors));
  if (same) return;
  PutChs(at + 1, base + start);
  PutChs(at + 5, base + start + sectors - 1);
}

bool Fits(uint64_t sectors) { return sectors <= std::numeric_limits<uint32_t>::max(); }

void JudgeMbr(PartitionTable& table, uint64_t medium_size) {
  JudgeEntries(table, kMbrSlots);
  JudgeRanges(table, {0, medium_size, ""}, medium_size);
  for (size_t i = 0; i < table.partitions.size(); i++) {
    PartitionEntry& entry = table.partitions[i];
    entry.name = NumberedName('s', uint64_t{entry.index} + 1);
    const int place = static_cast<int>(i);
    if (entry.type == 0 || entry.type == kMbrProtective) table.verdicts.push_back({Kind::kBadType, place});
    if (!Fits(entry.start / table.sector_size) || !Fits(entry.size / table.sector_size)) {
      table.verdicts.push_back({Kind::kTooFar, place});
    }
    if (!entry.table) continue;
    const bool chain = IsExtended(entry.type) && entry.table->scheme == Scheme::kEbr;
    const bool label = IsBsdSlice(entry.type) && entry.table->scheme == Scheme::kBsd;
    if (!chain && !label) table.verdicts.push_back({Kind::kBadNesting, place});
  }
}

// Where the sector of each link lies: the first one at the start of the extended partition, every other one in the
// first free sector of the gap in front of its partition. The same as sfdisk(8) makes, so that its tables stay as they
// are.
std::vector<uint64_t> PlaceLinks(PartitionTable& chain, const PartitionEntry& extended) {
  const uint64_t ss = chain.sector_size;
  std::vector<uint64_t> links;
  for (size_t i = 0; i < chain.partitions.size(); i++) {
    const PartitionEntry& entry = chain.partitions[i];
    // The first sector belongs to the first link, whichever partition comes first on the medium.
    uint64_t at = extended.start + (i == 0 ? 0 : ss);
    for (const PartitionEntry& other : chain.partitions) {
      if (i != 0 && other.start < entry.start) at = std::max(at, other.end());
    }
    if (at + ss > entry.start) chain.verdicts.push_back({Kind::kNoLink, static_cast<int>(i)});
    links.push_back(at);
  }
  return links;
}

Status PlanLabel(TableSource& source, PartitionEntry& entry, TablePlan& plan) {
  if (!entry.table || entry.table->scheme != Scheme::kBsd) return Status::Ok();
  return PlanBsd(source, *entry.table, {entry.start, entry.end(), entry.type, entry.name}, plan);
}

Status PlanChain(TableSource& source, PartitionEntry& extended, uint32_t& next_number, TablePlan& plan) {
  PartitionTable& chain = *extended.table;
  const uint64_t ss = chain.sector_size;
  JudgeEntries(chain, kMaxLogical);
  JudgeRanges(chain, {extended.start, extended.end(), ""}, source.size());
  const std::vector<uint64_t> links = PlaceLinks(chain, extended);
  for (PartitionEntry& entry : chain.partitions) {
    entry.name = NumberedName('s', next_number++);
    const int place = static_cast<int>(&entry - chain.partitions.data());
    if (entry.type == 0 || IsExtended(entry.type)) chain.verdicts.push_back({Kind::kBadType, place});
    if (entry.table && (entry.table->scheme != Scheme::kBsd || !IsBsdSlice(entry.type))) {
      chain.verdicts.push_back({Kind::kBadNesting, place});
    }
  }
  if (!chain.verdicts.empty()) return Status::Ok();

  std::vector<TableWrite> step;
  for (size_t i = 0; i < std::max<size_t>(links.size(), 1); i++) {
    const uint64_t at = links.empty() ? extended.start : links[i];
    auto write = ReadForWrite(source, at, kMbrBytes);
    if (!write.ok()) return write.status();
    std::vector<uint8_t>& bytes = write.value().bytes;
    // What was no link before is data of nobody: it would look like boot code.
    if (Load<uint16_t>(&bytes[kMbrSignatureAt]) != kMbrSignature) std::fill(bytes.begin(), bytes.end(), uint8_t{0});
    uint8_t* slot = &bytes[kMbrEntriesAt];
    if (i >= links.size()) {
      std::fill_n(slot, kMbrSlots * kMbrEntryBytes, uint8_t{0});
    } else {
      const PartitionEntry& entry = chain.partitions[i];
      const uint8_t flag = entry.bootable ? kMbrBootable : 0;
      PutEntry(slot, flag, entry.type, at / ss, (entry.start - at) / ss, entry.size / ss);
      std::fill_n(slot + 2 * kMbrEntryBytes, 2 * kMbrEntryBytes, uint8_t{0});
      if (i + 1 < links.size()) {
        const uint64_t next = links[i + 1];
        PutEntry(slot + kMbrEntryBytes, 0, kLinkType, extended.start / ss, (next - extended.start) / ss,
                 (chain.partitions[i + 1].end() - next) / ss);
      } else {
        std::fill_n(slot + kMbrEntryBytes, kMbrEntryBytes, uint8_t{0});
      }
    }
    Store<uint16_t>(&bytes[kMbrSignatureAt], kMbrSignature);
    step.push_back(write.Take());
  }
  plan.push_back(std::move(step));
  for (PartitionEntry& entry : chain.partitions) {
    const Status status = PlanLabel(source, entry, plan);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

// An extended partition that is given without a chain keeps the one that lies there; where none does it gets an empty
// one, for whatever lies there instead would be read as its first link.
Status BeginChain(TableSource& source, const PartitionTable& mbr, PartitionEntry& entry) {
  if (entry.table || !IsExtended(entry.type)) return Status::Ok();
  const auto first = ReadForWrite(source, entry.start, kMbrBytes);
  if (!first.ok()) return first.status();
  if (Load<uint16_t>(&first.value().bytes[kMbrSignatureAt]) == kMbrSignature) return Status::Ok();
  entry.table = std::make_unique<PartitionTable>();
  entry.table->scheme = Scheme::kEbr;
  entry.table->sector_size = mbr.sector_size;
  return Status::Ok();
}

}  // namespace

Status PlanMbr(TableSource& source, PartitionTable& table, TablePlan& plan) {
  if (!source.Holds(0, kMbrBytes)) return table.verdicts.push_back({Kind::kNoRoom}), Status::Ok();
  JudgeMbr(table, source.size());
  uint32_t next_number = kMbrSlots + 1;
  for (PartitionEntry& entry : table.partitions) {
    if (!table.verdicts.empty()) return Status::Ok();
    const Status begun = BeginChain(source, table, entry);
    if (!begun.ok()) return begun;
    const bool chain = entry.table && entry.table->scheme == Scheme::kEbr;
    const Status status = chain ? PlanChain(source, entry, next_number, plan) : PlanLabel(source, entry, plan);
    if (!status.ok()) return status;
  }
  auto write = ReadForWrite(source, 0, kMbrBytes);
  if (!write.ok()) return write.status();
  std::vector<uint8_t>& bytes = write.value().bytes;
  for (uint32_t slot = 0; slot < kMbrSlots; slot++) {
    uint8_t* at = &bytes[kMbrEntriesAt + slot * kMbrEntryBytes];
    const auto entry = std::find_if(table.partitions.begin(), table.partitions.end(),
                                    [&](const PartitionEntry& e) { return e.index == slot; });
    if (entry == table.partitions.end()) {
      std::fill_n(at, kMbrEntryBytes, uint8_t{0});
    } else {
      PutEntry(at, entry->bootable ? kMbrBootable : 0, entry->type, 0, entry->start / table.sector_size,
               entry->size / table.sector_size);
    }
  }
  Store<uint32_t>(&bytes[kMbrIdAt], table.disk_id);
  Store<uint16_t>(&bytes[kMbrSignatureAt], kMbrSignature);
  plan.push_back({write.Take()});  // last: what it leads to is there
  return Status::Ok();
}

}  // namespace blk
