// Qcow2Writer: clusters for others than the disk.
#include <algorithm>

#include "core/image/qcow2_writer.h"

namespace blk {
namespace {

// Rows that are begun for one, before it is not looked for any longer.
constexpr int kMostRows = 8;

}  // namespace

Result<ClusterSpan> Qcow2Writer::TakeRow(uint64_t count) {
  MutexLock lock(placing_);
  // The first cluster of those that a block counts may be the block.
  if (count >= allocator_->counts().block_entries()) return Status{ENOSPC, Op::kPwrite, Why::kImageFull};
  ClusterSpan row;
  for (int rows = 0; rows < kMostRows;) {
    const Result<ClusterSpan> taken = allocator_->Take(count - row.count());
    if (!taken.ok()) {
      if (row.count() > 0) allocator_->Drop(row);
      return taken.status();
    }
    if (row.count() > 0 && taken.value().begin != row.end) {
      allocator_->Drop(row);
      row = {};
      rows++;
    }
    if (row.count() == 0) row.begin = taken.value().begin;
    row.end = taken.value().end;
    if (row.count() == count) return row;
  }
  allocator_->Drop(row);
  return Status{ENOSPC, Op::kPwrite, Why::kImageFull};
}

Result<bool> Qcow2Writer::AreSingle(ClusterSpan clusters) {
  MutexLock lock(placing_);
  for (uint64_t cluster = clusters.begin; cluster < clusters.end; cluster++) {
    if (!image_.tables().InFile(cluster << header_.cluster_bits) || !allocator_->counts().HasBlock(cluster))
      return false;
    const Result<uint64_t> count = allocator_->counts().Get(cluster);
    if (!count.ok()) return count.status();
    if (count.value() != 1) return false;
  }
  return true;
}

Status Qcow2Writer::Free(const std::vector<ClusterSpan>& clusters) {
  MutexLock lock(placing_);
  Status first = allocator_->Freed(clusters);
  for (const ClusterSpan& span : clusters) {
    const Moved discarded =
        file_.Discard({span.begin << header_.cluster_bits}, span.count() << header_.cluster_bits, {});
    if (first.ok()) first = discarded.status;
  }
  return first;
}

std::vector<uint64_t> Qcow2Writer::TableClusters() {
  std::vector<uint64_t> clusters = {0};
  image_.tables().AddClusters(clusters);
  MutexLock lock(placing_);
  allocator_->counts().AddOwn(clusters);
  std::sort(clusters.begin(), clusters.end());
  return clusters;
}

}  // namespace blk
