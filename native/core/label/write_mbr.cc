// PlanMbr: sector 0, behind the chains of its extended partitions.
#include <algorithm>
#include <limits>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/label/ebr.h"
#include "core/label/mbr.h"
#include "core/label/mbr_entry.h"
#include "core/label/write_ebr.h"
#include "core/label/write_table.h"

namespace blk {
namespace {

using Kind = Verdict::Kind;

bool Fits(uint64_t sectors) { return sectors <= std::numeric_limits<uint32_t>::max(); }

void JudgeMbr(PartitionTable& table, uint64_t medium_size, const PartitionTable* there) {
  JudgeEntries(table, kMbrSlots);
  JudgeChange(table, {0, medium_size, ""}, medium_size, {there, {0, medium_size, ""}});
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

Status PlanLabel(TableSource& source, PartitionEntry& entry, TablePlan& plan) {
  if (!entry.table || entry.table->scheme != Scheme::kBsd) return Status::Ok();
  return PlanBsd(source, *entry.table, SliceOf(entry, source), plan);
}

PartitionEntry WithoutTable(const PartitionEntry& entry) {
  PartitionEntry copy;
  copy.index = entry.index;
  copy.start = entry.start;
  copy.size = entry.size;
  copy.type = entry.type;
  return copy;
}

Result<OldChain> ReadOldChain(TableSource& source, const PartitionEntry& extended, uint64_t sector_size) {
  auto chain = ReadChain(source, extended, sector_size);
  if (!chain.ok()) return chain.status();
  OldChain old{WithoutTable(extended), chain.Take(), {}};
  uint32_t number = 0;
  old.table = ToTable(old.chain, extended, source.size(), number);
  return old;
}

// The chains of a disk as they lie there.
struct OldChains {
  std::vector<OldChain> chains;
  std::set<uint64_t> links;  // sectors

  const OldChain* At(uint64_t start) const {
    const auto found = std::find_if(chains.begin(), chains.end(),
                                    [&](const OldChain& chain) { return chain.extended.start == start; });
    return found != chains.end() ? &*found : nullptr;
  }
  void Add(OldChain chain) {
    for (const ChainLink& link : chain.chain.links) links.insert(link.at);
    chains.push_back(std::move(chain));
  }
};

Result<OldChains> ReadOldChains(TableSource& source, const PartitionTable* there) {
  OldChains old;
  if (there == nullptr) return old;
  for (const PartitionEntry& entry : there->partitions) {
    if (!IsExtended(entry.type)) continue;
    auto chain = ReadOldChain(source, entry, there->sector_size);
    if (!chain.ok()) return chain.status();
    old.Add(chain.Take());
  }
  return old;
}

// An extended partition that is given without a chain keeps the one that lies there; where none does it gets an empty
// one, for whatever lies there instead would be read as its first link.
Status BeginChain(TableSource& source, const PartitionTable& mbr, PartitionEntry& entry, OldChains& old) {
  if (entry.table || !IsExtended(entry.type)) return Status::Ok();
  const OldChain* there = old.At(entry.start);
  if (there == nullptr) {
    auto chain = ReadOldChain(source, entry, mbr.sector_size);
    if (!chain.ok()) return chain.status();
    if (!chain.value().chain.links.empty()) old.Add(chain.Take());
    there = old.At(entry.start);
  }
  entry.table = std::make_unique<PartitionTable>();
  entry.table->scheme = Scheme::kEbr;
  entry.table->sector_size = mbr.sector_size;
  if (there == nullptr) return Status::Ok();
  for (const PartitionEntry& logical : there->table.partitions) {
    entry.table->partitions.push_back(WithoutTable(logical));
    entry.table->partitions.back().bootable = logical.bootable;
  }
  return Status::Ok();
}

// The labels in the logical partitions, and then the chain that leads there.
Status PlanExtended(TableSource& source, PartitionEntry& extended, const OldChains& old, const Geometry& geometry,
                    uint32_t& next_number, TablePlan& plan) {
  PartitionTable& chain = *extended.table;
  TakeIndices(chain, [](uint32_t) { return false; });
  SortByIndex(chain);
  for (PartitionEntry& entry : chain.partitions) entry.name = NumberedName('s', next_number++);
  TablePlan links;
  const Status planned = PlanChain(source, extended, {old.At(extended.start), &old.links, geometry}, links);
  if (!planned.ok() || !chain.verdicts.empty()) return planned;
  for (PartitionEntry& entry : chain.partitions) {
    const Status status = PlanLabel(source, entry, plan);
    if (!status.ok()) return status;
  }
  std::move(links.begin(), links.end(), std::back_inserter(plan));
  return Status::Ok();
}

// Slots that hold no partition stay as they are, whatever is in them, and so do the cylinders that a tool counted.
void PutSector0(std::vector<uint8_t>& bytes, const PartitionTable& table, const MbrSector* old,
                const Geometry& geometry) {
  for (uint32_t slot = 0; slot < kMbrSlots; slot++) {
    uint8_t* at = &bytes[kMbrEntriesAt + slot * kMbrEntryBytes];
    const auto entry = std::find_if(table.partitions.begin(), table.partitions.end(),
                                    [&](const PartitionEntry& e) { return e.index == slot; });
    const bool is_partition = entry != table.partitions.end();
    const bool was_partition = old != nullptr && old->entries[slot].used();
    if (old == nullptr || is_partition != was_partition) std::fill_n(at, kMbrEntryBytes, uint8_t{0});
    if (!is_partition) continue;
    const uint8_t flag = entry->bootable ? kMbrBootable : 0;
    PutMbrEntry(at,
                {flag, entry->type, static_cast<uint32_t>(entry->start / table.sector_size),
                 static_cast<uint32_t>(entry->size / table.sector_size)},
                0, geometry);
  }
  Store<uint32_t>(&bytes[kMbrIdAt], table.disk_id);
  Store<uint16_t>(&bytes[kMbrSignatureAt], kMbrSignature);
}

}  // namespace

Status PlanMbr(TableSource& source, PartitionTable& table, const PartitionTable* there, TablePlan& plan) {
  if (!source.Holds(0, kMbrBytes)) return table.verdicts.push_back({Kind::kNoRoom}), Status::Ok();
  auto write = ReadForWrite(source, 0, kMbrBytes);
  if (!write.ok()) return write.status();
  MbrImage image{};
  if (there != nullptr) std::copy_n(write.value().bytes.begin(), image.size(), image.begin());
  const MbrSector old = DecodeMbr(image);
  TakeIndices(table, [&](uint32_t slot) { return slot < kMbrSlots && old.entries[slot].half(); });
  JudgeMbr(table, source.size(), there);
  if (!table.verdicts.empty()) return Status::Ok();
  auto chains = ReadOldChains(source, there);
  if (!chains.ok()) return chains.status();
  const Geometry geometry = GeometryOf(image);
  uint32_t next_number = kMbrSlots + 1;
  for (PartitionEntry& entry : table.partitions) {
    const Status begun = BeginChain(source, table, entry, chains.value());
    if (!begun.ok()) return begun;
    const bool chain = entry.table && entry.table->scheme == Scheme::kEbr;
    const Status status = chain ? PlanExtended(source, entry, chains.value(), geometry, next_number, plan)
                                : PlanLabel(source, entry, plan);
    if (!status.ok()) return status;
  }
  PutSector0(write.value().bytes, table, there != nullptr ? &old : nullptr, geometry);
  plan.push_back({write.Take()});  // last: what it leads to is there
  return Status::Ok();
}

}  // namespace blk
