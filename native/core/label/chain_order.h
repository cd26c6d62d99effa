// ChainOrder: which links the chain of an extended partition is to have, in what order and in which sectors. Reads
// nothing. No state.
#ifndef RUMPBLK_CORE_LABEL_CHAIN_ORDER_H_
#define RUMPBLK_CORE_LABEL_CHAIN_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "core/label/ebr.h"
#include "core/label/mbr_entry.h"
#include "core/label/partition_table.h"

namespace blk {

// The chain that lies at the start of an extended partition.
struct OldChain {
  PartitionEntry extended;  // without its table
  Chain chain;
  PartitionTable table;

  bool has(Verdict::Kind kind) const;
};

struct ChainPlace {
  const OldChain* old = nullptr;              // that the new one goes on from; none: it begins afresh
  const std::set<uint64_t>* links = nullptr;  // sectors of all links that the medium needs until sector 0 is written
  Geometry geometry;
};

// A link of a chain that is to be.
struct ChainNode {
  static constexpr size_t kNone = SIZE_MAX;

  size_t old = kNone;        // place in the old chain of the link that it is
  size_t partition = kNone;  // place in the table of its partition
  uint64_t at = 0;           // sectors
};

// The links for the table of `extended`, the first one at its start. Links that are there stay where they lie, also
// without a partition. A new one lies in the first free sector of the gap in front of its partition, as with sfdisk(8).
// A link whose partition is given up is left out, but for the first, which gets the next partition.
// Adds verdicts to the table: for partitions without room for a link, or over one; for a third entry in a link that
// would be taken for its partition; and for a change of a chain whose end could not be read.
std::vector<ChainNode> OrderLinks(PartitionEntry& extended, const ChainPlace& place);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_CHAIN_ORDER_H_
