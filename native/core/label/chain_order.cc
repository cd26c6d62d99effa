#include "core/label/chain_order.h"

#include <algorithm>
#include <optional>

namespace blk {
namespace {

using Kind = Verdict::Kind;
using Node = ChainNode;
constexpr size_t kNone = ChainNode::kNone;

class LinkOrder {
 public:
  LinkOrder(PartitionEntry& extended, const ChainPlace& place)
      : table_(*extended.table),
        place_(place),
        links_(place.old != nullptr ? place.old->chain.links : no_links_),
        ss_(table_.sector_size),
        base_(extended.start / ss_) {}

  std::vector<Node> Run() {
    Match();
    Arrange();
    KeepEmptyLinks();
    Place();
    Judge();
    return std::move(nodes_);
  }

 private:
  PartitionEntry OldPartition(size_t link) const { return place_.old->chain.PartitionOf(links_[link]); }
  // Whether the partition lies where it, or one around it, lay before.
  bool WasThere(size_t i) const {
    if (link_of_[i] == kNone) return false;
    const PartitionEntry was = OldPartition(link_of_[i]);
    return was.start <= table_.partitions[i].start && table_.partitions[i].end() <= was.end();
  }

  // A partition goes on in the link whose partition began where it begins; else in the one of the same number, if that
  // lies in front of it still.
  void Match() {
    link_of_.assign(table_.partitions.size(), kNone);
    std::vector<bool> taken(links_.size());
    const auto match = [&](auto&& fits) {
      uint32_t number = 0;
      for (size_t link = 0; link < links_.size(); link++) {
        if (!links_[link].partition) continue;
        const PartitionEntry was = OldPartition(link);
        for (size_t i = 0; i < link_of_.size() && !taken[link]; i++) {
          if (link_of_[i] != kNone || !fits(table_.partitions[i], was, number, links_[link].at * ss_)) continue;
          link_of_[i] = link;
          taken[link] = true;
        }
        number++;
      }
    };
    match([](const PartitionEntry& entry, const PartitionEntry& was, uint32_t, uint64_t) {
      return entry.start == was.start;
    });
    match([&](const PartitionEntry& entry, const PartitionEntry&, uint32_t number, uint64_t position) {
      return entry.index == number && IsGap(position, entry.start);
    });
    for (size_t link = 0; link < links_.size(); link++) {
      // A partition that means nothing beside another one would be one without it.
      const bool bares = links_[link].partition && !taken[link] && !links_[link].extra.empty();
      if (bares) table_.verdicts.push_back({Kind::kExtraEntry, Verdict::kNoEntry, links_[link].at});
    }
  }

  // Whether no partition lies on [begin, end), and there is any of it.
  bool IsGap(uint64_t begin, uint64_t end) const {
    return begin < end && std::none_of(table_.partitions.begin(), table_.partitions.end(),
                                       [&](const auto& entry) { return entry.start < end && begin < entry.end(); });
  }

  // The first link lies at the start of the extended partition, whatever comes first. All others may lie in any order.
  void Arrange() {
    Node head{links_.empty() ? kNone : 0, kNone, base_};
    size_t next = 0;
    const bool any = !link_of_.empty();
    const auto owner = std::find(link_of_.begin(), link_of_.end(), size_t{0});
    const bool owned = owner != link_of_.end();
    // It is left empty only where it was empty: some readers have to say so.
    const bool given_up = !owned && !links_.empty() && links_[0].partition && links_[0].extra.empty();
    const bool moves = given_up && any && link_of_[0] != kNone && links_[link_of_[0]].extra.empty();
    if (any && (link_of_[0] == 0 || link_of_[0] == kNone || moves)) head.partition = next++;
    if (owned && owner != link_of_.begin()) *owner = kNone;  // gets a link of its own
    nodes_.push_back(head);
    for (; next < link_of_.size(); next++) {
      const size_t link = link_of_[next];
      nodes_.push_back({link, next, link != kNone ? links_[link].at : 0});
    }
  }

  // Links whose partition was removed by somebody stay behind the link they are behind, unless something takes their
  // sector.
  void KeepEmptyLinks() {
    for (size_t link = 1; link < links_.size(); link++) {
      if (links_[link].partition) continue;
      const uint64_t position = links_[link].at * ss_;
      bool covered = false;
      for (size_t i = 0; i < link_of_.size(); i++) {
        const PartitionEntry& entry = table_.partitions[i];
        covered = covered || (!WasThere(i) && entry.start <= position && position < entry.end());
      }
      const auto before =
          std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& node) { return node.old == link - 1; });
      if (covered || before == nodes_.end()) continue;
      nodes_.insert(before + 1, {link, kNone, links_[link].at});
    }
  }

  void Place() {
    for (Node& node : nodes_) {
      if (node.at != 0) continue;
      const auto at = FreeSector(table_.partitions[node.partition]);
      if (at) {
        node.at = *at;
      } else {
        table_.verdicts.push_back({Kind::kNoLink, static_cast<int>(node.partition)});
      }
    }
  }

  // The first sector in the gap in front of `entry` that nothing takes; rather none of a link that is there.
  std::optional<uint64_t> FreeSector(const PartitionEntry& entry) const {
    uint64_t begin = base_ + 1;
    const auto behind = [&](const PartitionEntry& other) {
      if (other.start < entry.start) begin = std::max(begin, other.end() / ss_);
    };
    std::for_each(table_.partitions.begin(), table_.partitions.end(), behind);
    for (const ChainLink& link : links_) {
      for (const uint32_t slot : link.extra) {
        if (!IsExtended(link.entry(slot).type)) behind(MbrPartition(link.entry(slot), 0, link.at, ss_));
      }
    }
    const uint64_t end = entry.start / ss_;
    const auto taken = [&](uint64_t at) {
      return std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& node) { return node.at == at; });
    };
    std::optional<uint64_t> second_best;
    for (uint64_t at = begin; at < end; at++) {
      if (taken(at)) continue;
      if (place_.links->count(at) == 0) return at;
      if (!second_best) second_best = at;
    }
    return second_best;
  }

  void Judge() {
    if (nodes_.size() > kMaxLogical) table_.verdicts.push_back({Kind::kChainTooLong, Verdict::kNoEntry, kMaxLogical});
    // Behind what could be read there are partitions that nobody knows the place of.
    bool grows = false;
    for (size_t i = 0; i < link_of_.size(); i++) {
      grows = grows || !WasThere(i);
      for (const Node& node : nodes_) {
        const uint64_t position = node.at * ss_;
        const PartitionEntry& entry = table_.partitions[i];
        const bool covers = node.at != 0 && entry.start <= position && position < entry.end() && !WasThere(i);
        const Kind kind = node.partition == i ? Kind::kNoLink : Kind::kCoversLink;
        if (covers) table_.verdicts.push_back({kind, static_cast<int>(i)});
      }
    }
    if (grows && place_.old != nullptr && place_.old->has(Kind::kChainTooLong)) {
      table_.verdicts.push_back({Kind::kChainTooLong, Verdict::kNoEntry, kMaxLogical});
    }
  }

  const std::vector<ChainLink> no_links_;
  PartitionTable& table_;
  const ChainPlace& place_;
  const std::vector<ChainLink>& links_;
  const uint64_t ss_;
  const uint64_t base_;          // sectors
  std::vector<size_t> link_of_;  // of each partition: the old link that it goes on in
  std::vector<Node> nodes_;
};

}  // namespace

bool OldChain::has(Verdict::Kind kind) const {
  return std::any_of(chain.verdicts.begin(), chain.verdicts.end(),
                     [&](const Verdict& verdict) { return verdict.kind == kind; });
}

std::vector<ChainNode> OrderLinks(PartitionEntry& extended, const ChainPlace& place) {
  return LinkOrder(extended, place).Run();
}

}  // namespace blk
