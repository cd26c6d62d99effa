#include "core/label/hybrid_mbr.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/label/mbr_entry.h"

namespace blk {
namespace {

using Kind = Verdict::Kind;
constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();

bool IsPartition(const PartitionEntry& hybrid, const PartitionTable& gpt) {
  return std::any_of(gpt.partitions.begin(), gpt.partitions.end(), [&](const PartitionEntry& entry) {
    const bool cut = hybrid.size == kMost * gpt.sector_size && entry.size > hybrid.size;
    return entry.start == hybrid.start && (entry.size == hybrid.size || cut);
  });
}

bool WasThere(const PartitionEntry& hybrid, const OldTable& old) {
  if (old.table == nullptr || !old.table->hybrid) return false;
  return std::any_of(old.table->hybrid->begin(), old.table->hybrid->end(),
                     [&](const PartitionEntry& was) { return was.start == hybrid.start && was.size == hybrid.size; });
}

// Whether it shares sectors with a partition that it is not, and did not do so before.
bool Collides(const PartitionEntry& hybrid, const PartitionTable& gpt, const OldTable& old) {
  if (IsPartition(hybrid, gpt)) return false;
  const bool was_there = WasThere(hybrid, old);
  return std::any_of(gpt.partitions.begin(), gpt.partitions.end(), [&](const PartitionEntry& entry) {
    if (entry.start >= hybrid.end() || hybrid.start >= entry.end()) return false;
    const PartitionEntry* was = was_there ? OldEntry(old, entry) : nullptr;
    return was == nullptr || entry.start < was->start || was->end() < entry.end();
  });
}

MbrEntry ToMbr(const PartitionEntry& entry, uint64_t sector_size) {
  return {static_cast<uint8_t>(entry.bootable ? kMbrBootable : 0), entry.type,
          static_cast<uint32_t>(entry.start / sector_size), static_cast<uint32_t>(entry.size / sector_size)};
}

void JudgeHybrid(PartitionTable& gpt, const OldTable& old) {
  auto& hybrid = *gpt.hybrid;
  uint32_t slots = 0;
  bool protective = false;
  for (const PartitionEntry& entry : hybrid) {
    const bool fits = entry.index < kMbrSlots && (slots >> entry.index & 1) == 0 && entry.type != 0 &&
                      entry.size != 0 && entry.start % gpt.sector_size == 0 && entry.size % gpt.sector_size == 0 &&
                      entry.start / gpt.sector_size <= kMost && entry.size / gpt.sector_size <= kMost;
    if (!fits || (entry.type != kMbrProtective && Collides(entry, gpt, old))) {
      gpt.verdicts.push_back({Kind::kHybridMisfit, Verdict::kNoEntry, uint64_t{entry.index} + 1});
    }
    if (entry.index < kMbrSlots) slots |= 1u << entry.index;
    protective = protective || entry.type == kMbrProtective;
  }
  // Nobody would look behind an MBR that announces no GPT.
  if (!hybrid.empty() && !protective) gpt.verdicts.push_back({Kind::kNoProtectiveMbr});
}

void PutProtective(std::vector<uint8_t>& bytes, uint32_t size) {
  uint8_t* at = &bytes[kMbrEntriesAt];
  std::fill_n(at, kMbrSlots * kMbrEntryBytes, uint8_t{0});
  at[2] = 2;
  at[4] = kMbrProtective;
  std::fill_n(at + 5, 3, uint8_t{0xff});
  Store<uint32_t>(at + 8, 1);
  Store<uint32_t>(at + 12, size);
  Store<uint16_t>(&bytes[kMbrSignatureAt], kMbrSignature);
}

void PutHybrid(std::vector<uint8_t>& bytes, const MbrImage& image, const PartitionTable& gpt) {
  const Geometry geometry = GeometryOf(image);
  for (uint32_t slot = 0; slot < kMbrSlots; slot++) {
    uint8_t* at = &bytes[kMbrEntriesAt + slot * kMbrEntryBytes];
    const auto entry = std::find_if(gpt.hybrid->begin(), gpt.hybrid->end(),
                                    [&](const PartitionEntry& one) { return one.index == slot; });
    const bool used = DecodeMbr(image).entries[slot].used();
    if (entry != gpt.hybrid->end()) PutMbrEntry(at, ToMbr(*entry, gpt.sector_size), 0, geometry);
    if (entry == gpt.hybrid->end() && used) std::fill_n(at, kMbrEntryBytes, uint8_t{0});
  }
  Store<uint16_t>(&bytes[kMbrSignatureAt], kMbrSignature);
}

}  // namespace

std::optional<std::vector<PartitionEntry>> HybridEntries(const MbrSector& sector, uint64_t sector_size) {
  std::vector<PartitionEntry> entries;
  bool hybrid = false;
  for (uint32_t slot = 0; slot < kMbrSlots; slot++) {
    if (!sector.entries[slot].used()) continue;
    entries.push_back(MbrPartition(sector.entries[slot], slot, 0, sector_size));
    entries.back().name = NumberedName('s', slot + 1);
    hybrid = hybrid || entries.back().type != kMbrProtective;
  }
  return hybrid ? std::optional(std::move(entries)) : std::nullopt;
}

void ShowHybrid(PartitionTable& gpt, const MbrSector& sector) {
  gpt.hybrid = HybridEntries(sector, gpt.sector_size);
  if (!gpt.hybrid) return;
  for (const PartitionEntry& entry : *gpt.hybrid) {
    if (entry.type == kMbrProtective || IsPartition(entry, gpt)) continue;
    gpt.verdicts.push_back({Kind::kHybridMisfit, Verdict::kNoEntry, uint64_t{entry.index} + 1});
  }
}

Result<TableWrite> PlanHybrid(TableSource& source, PartitionTable& gpt, const OldTable& old,
                              const DiskSectors& sectors) {
  auto write = ReadForWrite(source, 0, kMbrBytes);
  if (!write.ok()) return write;
  std::vector<uint8_t>& bytes = write.value().bytes;
  MbrImage image;
  std::copy_n(bytes.begin(), image.size(), image.begin());
  const MbrSector sector = DecodeMbr(image);
  const bool announced = IsPartitionSector(image) && IsProtective(sector);
  if (!gpt.hybrid && announced) gpt.hybrid = HybridEntries(sector, gpt.sector_size);
  if (gpt.hybrid && !gpt.hybrid->empty()) {
    JudgeHybrid(gpt, old);
    // Of another scheme nothing is gone on from.
    if (!announced) std::fill_n(&bytes[kMbrEntriesAt], kMbrSlots * kMbrEntryBytes, uint8_t{0}), image.fill(0);
    if (gpt.verdicts.empty()) PutHybrid(bytes, image, gpt);
    return write;
  }
  const auto size_on = [](uint64_t disk) { return static_cast<uint32_t>(std::min(disk - 1, kMost)); };
  const bool plain = announced && !HybridEntries(sector, gpt.sector_size);
  if (!plain) return PutProtective(bytes, size_on(sectors.is)), std::move(write);
  for (uint32_t slot = 0; slot < kMbrSlots; slot++) {
    MbrEntry entry = sector.entries[slot];
    const bool all = entry.type == kMbrProtective && entry.start == 1 && entry.sectors == size_on(sectors.was);
    if (!all || sectors.was == sectors.is) continue;
    entry.sectors = size_on(sectors.is);
    PutMbrEntry(&bytes[kMbrEntriesAt + slot * kMbrEntryBytes], entry, 0, GeometryOf(image));
  }
  return write;
}

}  // namespace blk
