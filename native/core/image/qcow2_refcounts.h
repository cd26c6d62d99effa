// Qcow2Refcounts: the reference counts of a qcow2 image that is written: its table and blocks, which both grow.
// Not thread-safe: Qcow2Allocator guards it.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_REFCOUNTS_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_REFCOUNTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/status.h"
#include "core/image/qcow2_header.h"
#include "core/medium/channel.h"

namespace blk {

// Clusters [begin, end) of the file, by number.
struct ClusterSpan {
  uint64_t begin = 0;
  uint64_t end = 0;

  uint64_t count() const { return end - begin; }
};

class Qcow2Refcounts {
 public:
  // Reads the table. Errors: EIO, damaged, with a Why · the medium's. `file` outlives it.
  static Result<std::unique_ptr<Qcow2Refcounts>> Create(Channel& file, const Qcow2Header& header, uint64_t file_size);

  uint64_t block_entries() const { return block_entries_; }
  // The number of the first cluster behind all that are in use. Errors: the medium's.
  Result<uint64_t> End();
  // Whether the cluster has a block, and whether the table reaches to one.
  bool HasBlock(uint64_t cluster) const {
    return InTable(cluster) && table_[static_cast<size_t>(cluster / block_entries_)] != 0;
  }
  bool InTable(uint64_t cluster) const { return cluster / block_entries_ < table_.size(); }

  // The count of a cluster, and what it becomes. Errors: the medium's.   REQUIRES: HasBlock().
  Result<uint64_t> Get(uint64_t cluster);
  // REQUIRES of Set(): all of `clusters` belong to one block.
  Status Set(ClusterSpan clusters, uint64_t value);
  // One less for each of `clusters`. Errors: EIO a count of 0, with a Why · the medium's.
  Status Drop(ClusterSpan clusters);

  // Adds the clusters that the table and its blocks lie in.
  void AddOwn(std::vector<uint64_t>& clusters) const;

  // Makes the block for `cluster` in `cluster` itself, which reads as zeros, and says that [cluster, end) are in use.
  // Syncs before and after the table has it. REQUIRES: InTable(), not HasBlock(); `end` belongs to the same block.
  Status AddBlock(uint64_t cluster, uint64_t end);
  // How many clusters from `cluster` on, which the table does not reach to, a longer table takes with its blocks.
  // ENOSPC: none may be so long.
  Result<uint64_t> Growth(uint64_t cluster) const;
  // Makes that table, in clusters that read as zeros. Syncs. -> the old one, which is in use by nothing any more.
  Result<ClusterSpan> Grow(uint64_t cluster);

 private:
  Qcow2Refcounts(Channel& file, const Qcow2Header& header);

  struct Plan {
    uint64_t blocks = 0;
    uint64_t table_clusters = 0;
  };
  Result<Plan> PlanGrowth(uint64_t cluster) const;
  uint64_t EntryBytes(uint64_t entries) const { return ((entries << order_) + 7) / 8; }
  uint64_t Load(const std::vector<uint8_t>& bytes, uint64_t index) const;
  void Store(std::vector<uint8_t>& bytes, uint64_t index, uint64_t value) const;
  // Entries [first, first + count) of the block at `block`, from one that begins at a byte; `*skip` of them before.
  Status ReadEntries(uint64_t block, uint64_t first, uint64_t count, std::vector<uint8_t>& bytes, uint64_t* skip);

  Channel& file_;
  const unsigned cluster_bits_;
  const unsigned order_;
  const uint64_t block_entries_;
  ClusterSpan place_;  // of the table
  std::vector<uint64_t> table_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_REFCOUNTS_H_
