// Ebr: the chain of sectors in an extended partition, each like an MBR with one logical partition and a pointer to the
// next. No state; never fails on what it reads.
#ifndef RUMPBLK_CORE_LABEL_EBR_H_
#define RUMPBLK_CORE_LABEL_EBR_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/status.h"
#include "core/label/mbr.h"
#include "core/label/partition_table.h"
#include "core/label/table_source.h"

namespace blk {

// More logical partitions than any tool makes; an end for chains that have none.
inline constexpr uint32_t kMaxLogical = 256;

// One sector of a chain as it lies there. A link without a partition is one whose partition was removed.
struct ChainLink {
  uint64_t at = 0;  // sectors, from the start of the medium
  MbrImage bytes{};
  std::optional<uint32_t> partition;  // slot of the logical partition, whose sectors count from `at`
  std::optional<uint32_t> next;       // slot of the pointer, whose sectors count from the first link
  std::vector<uint32_t> extra;        // other slots in use, which mean nothing to anybody

  MbrEntry entry(uint32_t slot) const { return DecodeMbr(bytes).entries[slot]; }
};

struct Chain {
  uint64_t sector_size = kDevBsize;
  std::vector<ChainLink> links;
  Verdicts verdicts;

  // The partition of a link that has one.
  PartitionEntry PartitionOf(const ChainLink& link) const;
};

// The links from the start of `extended` on, at most kMaxLogical of them. Errors: those of source.Read().
Result<Chain> ReadChain(TableSource& source, const PartitionEntry& extended, uint64_t sector_size);

// The logical partitions that `chain` says, with its verdicts and those of their ranges. They are numbered from
// `next_number` on, which moves on.
PartitionTable ToTable(const Chain& chain, const PartitionEntry& extended, uint64_t medium_size, uint32_t& next_number);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_EBR_H_
