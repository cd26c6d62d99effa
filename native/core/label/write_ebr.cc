#include "core/label/write_ebr.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace blk {
namespace {

using Kind = Verdict::Kind;
constexpr uint8_t kPointerType = 0x05;
using Node = ChainNode;
constexpr size_t kNone = ChainNode::kNone;

uint8_t* SlotAt(std::vector<uint8_t>& bytes, uint32_t slot) { return &bytes[kMbrEntriesAt + slot * kMbrEntryBytes]; }

class ChainWriter {
 public:
  ChainWriter(TableSource& source, PartitionEntry& extended, const ChainPlace& place)
      : source_(source),
        extended_(extended),
        table_(*extended.table),
        place_(place),
        links_(place.old != nullptr ? place.old->chain.links : no_links_),
        ss_(table_.sector_size),
        nodes_(OrderLinks(extended, place)) {}

  Status Run(TablePlan& plan) {
    if (!table_.verdicts.empty()) return Status::Ok();
    std::vector<TableWrite> fresh, changed;
    for (size_t i = nodes_.size(); i-- > 0;) {
      // An extended partition behind the end of the medium, which was there before, has no sector for a first link.
      if (nodes_[i].partition == kNone && !source_.Holds(nodes_[i].at * ss_, kMbrBytes)) continue;
      auto write = Encode(i);
      if (!write.ok()) return write.status();
      auto& step = IsOldLink(nodes_[i].at) ? changed : fresh;
      step.push_back(write.Take());
    }
    if (!table_.verdicts.empty()) return Status::Ok();
    if (!fresh.empty()) plan.push_back(std::move(fresh));
    // Links that change places with one another do so from the end on, one after the other.
    if (!Permuted()) {
      if (!changed.empty()) plan.push_back(std::move(changed));
    } else {
      for (TableWrite& write : changed) plan.push_back({std::move(write)});
    }
    return Status::Ok();
  }

 private:
  uint64_t base() const { return extended_.start / ss_; }
  const PartitionEntry& Partition(const Node& node) const { return table_.partitions[node.partition]; }
  bool HasOld(Kind kind) const { return place_.old != nullptr && place_.old->has(kind); }
  bool IsOldLink(uint64_t at) const {
    return std::any_of(links_.begin(), links_.end(), [&](const ChainLink& link) { return link.at == at; });
  }
  bool Permuted() const {
    size_t last = 0;
    for (const Node& node : nodes_) {
      if (node.old == kNone) continue;
      if (node.old < last) return true;
      last = node.old;
    }
    return false;
  }
  // The sector of a link: as it lies there, with its partition and its pointer.
  Result<TableWrite> Encode(size_t index) {
    const Node& node = nodes_[index];
    auto write = ReadForWrite(source_, node.at * ss_, kMbrBytes);
    if (!write.ok()) return write;
    std::vector<uint8_t>& bytes = write.value().bytes;
    const ChainLink* old = node.old != kNone ? &links_[node.old] : nullptr;
    if (old == nullptr) {
      // In the gap, what lies in front of the entries is nobody's business; at the start of an extended partition it is
      // what the partition that was there began with, which somebody might still take for one.
      const size_t from = index == 0 ? 0 : kMbrEntriesAt;
      std::fill(bytes.begin() + static_cast<ptrdiff_t>(from), bytes.end(), uint8_t{0});
    }
    auto next_slot = old != nullptr ? old->next : std::nullopt;
    auto slot = old != nullptr ? old->partition : std::nullopt;
    if (node.partition != kNone) {
      if (!slot) slot = BlankSlot(bytes, 0, next_slot);
      if (!slot) return NoSlot(node), std::move(write);
      PutPartition(SlotAt(bytes, *slot), node);
    } else if (slot) {
      std::fill_n(SlotAt(bytes, *slot), kMbrEntryBytes, uint8_t{0});
    }
    if (!next_slot) next_slot = BlankSlot(bytes, 1, slot);
    if (index + 1 < nodes_.size()) {
      if (!next_slot) return NoSlot(node), std::move(write);
      PutPointer(SlotAt(bytes, *next_slot), nodes_[index + 1]);
    } else if (next_slot) {
      PutEnd(SlotAt(bytes, *next_slot), node);
    }
    Store<uint16_t>(&bytes[kMbrSignatureAt], kMbrSignature);
    return write;
  }

  void NoSlot(const Node& node) { table_.verdicts.push_back({Kind::kExtraEntry, Verdict::kNoEntry, node.at}); }

  static std::optional<uint32_t> BlankSlot(std::vector<uint8_t>& bytes, uint32_t first,
                                           std::optional<uint32_t> not_this) {
    for (uint32_t i = 0; i < kMbrSlots; i++) {
      const uint32_t slot = (first + i) % kMbrSlots;
      if (slot != not_this && IsBlankMbrEntry(SlotAt(bytes, slot))) return slot;
    }
    return std::nullopt;
  }

  void PutPartition(uint8_t* at, const Node& node) const {
    const PartitionEntry& entry = Partition(node);
    const MbrEntry fresh{entry.bootable ? kMbrBootable : uint8_t{0}, entry.type,
                         static_cast<uint32_t>(entry.start / ss_ - node.at), static_cast<uint32_t>(entry.size / ss_)};
    PutMbrEntry(at, fresh, node.at, place_.geometry);
  }

  // Leads to `next`: as a pointer that led there before, from wherever, if there was one.
  void PutPointer(uint8_t* at, const Node& next) const {
    const uint32_t start = static_cast<uint32_t>(next.at - base());
    const auto leads = [&](const uint8_t* bytes) {
      return IsExtended(bytes[4]) && Load<uint32_t>(bytes + 12) != 0 && Load<uint32_t>(bytes + 8) == start;
    };
    for (const ChainLink& link : links_) {
      const uint8_t* pointer = link.next ? &link.bytes[kMbrEntriesAt + *link.next * kMbrEntryBytes] : nullptr;
      if (pointer != nullptr && leads(pointer) && !leads(at)) std::copy_n(pointer, kMbrEntryBytes, at);
    }
    const bool led = leads(at);
    MbrEntry pointer{at[0], led ? at[4] : kPointerType, start, led ? Load<uint32_t>(at + 12) : 1};
    if (next.partition != kNone && !(led && KeepsItsEnd(next))) {
      pointer.sectors = SectorsOf(next, led ? pointer.sectors : 0);
    }
    PutMbrEntry(at, pointer, base(), place_.geometry);
  }

  // Whether the partition of a link ends where the one that was there did: then what was said of its size stays, even
  // when it was not true.
  bool KeepsItsEnd(const Node& node) const {
    if (node.old == kNone || !links_[node.old].partition) return false;
    return place_.old->chain.PartitionOf(links_[node.old]).end() == Partition(node).end();
  }

  // What a pointer says of the size of what it leads to: to the end of the partition there, as most tools have it;
  // what it said before, where that is enough.
  uint32_t SectorsOf(const Node& next, uint32_t sectors) const {
    return std::max(sectors, static_cast<uint32_t>(Partition(next).end() / ss_ - next.at));
  }

  // The last link leads nowhere; or still to where nobody could follow it.
  void PutEnd(uint8_t* at, const Node& node) const {
    const bool lost = HasOld(Kind::kChainTooLong) || HasOld(Kind::kChainBroken) || HasOld(Kind::kChainLeaves) ||
                      HasOld(Kind::kChainLoops);
    const bool same = !links_.empty() && node.old == links_.size() - 1;
    if (lost && same) return;
    std::fill_n(at, kMbrEntryBytes, uint8_t{0});
    if (!HasOld(Kind::kChainTooLong)) return;
    const ChainLink& last = links_.back();
    std::copy_n(&last.bytes[kMbrEntriesAt + *last.next * kMbrEntryBytes], kMbrEntryBytes, at);
  }

  TableSource& source_;
  PartitionEntry& extended_;
  PartitionTable& table_;
  const ChainPlace& place_;
  const std::vector<ChainLink> no_links_;
  const std::vector<ChainLink>& links_;
  const uint64_t ss_;
  const std::vector<Node> nodes_;
};

void JudgeChain(PartitionTable& table, const PartitionEntry& extended, uint64_t medium_size, const OldChain* old) {
  JudgeEntries(table, kMaxLogical);
  OldTable was;
  if (old != nullptr) was = {&old->table, {old->extended.start, old->extended.end(), ""}};
  JudgeChange(table, {extended.start, extended.end(), ""}, medium_size, was);
  for (size_t i = 0; i < table.partitions.size(); i++) {
    const PartitionEntry& entry = table.partitions[i];
    const int place = static_cast<int>(i);
    if (entry.type == 0 || IsExtended(entry.type)) table.verdicts.push_back({Kind::kBadType, place});
    if (entry.table && (entry.table->scheme != Scheme::kBsd || !IsBsdSlice(entry.type))) {
      table.verdicts.push_back({Kind::kBadNesting, place});
    }
  }
}

}  // namespace

Status PlanChain(TableSource& source, PartitionEntry& extended, const ChainPlace& place, TablePlan& plan) {
  JudgeChain(*extended.table, extended, source.size(), place.old);
  if (!extended.table->verdicts.empty()) return Status::Ok();
  return ChainWriter(source, extended, place).Run(plan);
}

}  // namespace blk
