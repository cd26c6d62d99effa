#include "core/label/ebr.h"

#include <set>
#include <utility>

namespace blk {
namespace {

using Kind = Verdict::Kind;

class ChainReader {
 public:
  ChainReader(TableSource& source, const PartitionEntry& extended, uint64_t sector_size)
      : source_(source), extended_(extended), base_(extended.start / sector_size) {
    chain_.sector_size = sector_size;
  }

  Result<Chain> Run() {
    for (std::optional<uint64_t> at = base_; at && MayVisit(*at);) {
      ChainLink link;
      link.at = *at;
      const Status status = source_.Read(*at * chain_.sector_size, link.bytes.data(), link.bytes.size());
      if (!status.ok()) return status;
      at = Take(std::move(link));
    }
    return std::move(chain_);
  }

 private:
  void Note(Kind kind, uint64_t value) { chain_.verdicts.push_back({kind, Verdict::kNoEntry, value}); }

  // Each link is a number of the medium's: it may lead out of the partition that has the chain, or in circles.
  bool MayVisit(uint64_t at) {
    const uint64_t position = at * chain_.sector_size;
    const bool inside = position >= extended_.start && position < extended_.end();
    if (!inside || !source_.Holds(position, kMbrBytes)) return Note(Kind::kChainLeaves, at), false;
    if (!visited_.insert(at).second) return Note(Kind::kChainLoops, at), false;
    if (visited_.size() > kMaxLogical) return Note(Kind::kChainTooLong, kMaxLogical), false;
    return true;
  }

  // -> where the next link lies.
  std::optional<uint64_t> Take(ChainLink link) {
    const MbrSector sector = DecodeMbr(link.bytes);
    if (!sector.has_signature) return Note(Kind::kChainBroken, link.at), std::nullopt;
    for (uint32_t slot = 0; slot < kMbrSlots; slot++) {
      const MbrEntry& found = sector.entries[slot];
      if (!found.used()) continue;
      auto& place = IsExtended(found.type) ? link.next : link.partition;
      if (place) {
        link.extra.push_back(slot);
        Note(Kind::kExtraEntry, link.at);
      } else {
        place = slot;
      }
    }
    chain_.links.push_back(std::move(link));
    const auto& next = chain_.links.back().next;
    return next ? std::optional(base_ + sector.entries[*next].start) : std::nullopt;
  }

  TableSource& source_;
  const PartitionEntry& extended_;
  const uint64_t base_;  // sectors
  Chain chain_;
  std::set<uint64_t> visited_;
};

}  // namespace

PartitionEntry Chain::PartitionOf(const ChainLink& link) const {
  return MbrPartition(link.entry(*link.partition), 0, link.at, sector_size);
}

Result<Chain> ReadChain(TableSource& source, const PartitionEntry& extended, uint64_t sector_size) {
  return ChainReader(source, extended, sector_size).Run();
}

PartitionTable ToTable(const Chain& chain, const PartitionEntry& extended, uint64_t medium_size,
                       uint32_t& next_number) {
  PartitionTable table;
  table.scheme = Scheme::kEbr;
  table.position = extended.start;
  table.sector_size = chain.sector_size;
  table.verdicts = chain.verdicts;
  for (const ChainLink& link : chain.links) {
    if (!link.partition) continue;
    table.partitions.push_back(chain.PartitionOf(link));
    table.partitions.back().link = link.at * chain.sector_size;
    table.partitions.back().index = static_cast<uint32_t>(table.partitions.size() - 1);
    table.partitions.back().name = NumberedName('s', next_number++);
  }
  JudgeRanges(table, {extended.start, extended.end(), ""}, medium_size);
  return table;
}

}  // namespace blk
