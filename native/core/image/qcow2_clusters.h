// Qcow2Clusters: clusters of a qcow2 image for others than the disk, bitmaps: taken, looked at and given back.
// Thread-safe.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_CLUSTERS_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_CLUSTERS_H_

#include <vector>

#include "core/base/status.h"
#include "core/image/qcow2_refcounts.h"

namespace blk {

class Qcow2Clusters {
 public:
  // So many in a row, which read as zeros and are counted. Errors: those of Qcow2Allocator::Take() · ENOSPC there is no
  // such row, with a Why.
  virtual Result<ClusterSpan> TakeRow(uint64_t count) = 0;
  // Whether each of them is in the file and counted once. Errors: the medium's.
  virtual Result<bool> AreSingle(ClusterSpan clusters) = 0;
  // Gives them back, and their room. Errors: the medium's.   REQUIRES: they are single, and nothing durable points to
  // them.
  virtual Status Free(const std::vector<ClusterSpan>& clusters) = 0;
  // The clusters that the header and all tables have, those of reference counts too, in order.
  virtual std::vector<uint64_t> TableClusters() = 0;

 protected:
  ~Qcow2Clusters() = default;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_CLUSTERS_H_
