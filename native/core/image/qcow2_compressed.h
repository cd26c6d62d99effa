// CompressedClusters: the compressed clusters of a qcow2 image, decompressed, and the last one of them, since who reads
// goes through a cluster in several requests. Thread-safe. mu_ is a leaf.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_COMPRESSED_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_COMPRESSED_H_

#include <memory>
#include <vector>

#include "core/base/sync.h"
#include "core/image/qcow2_header.h"
#include "core/image/qcow2_tables.h"
#include "core/medium/channel.h"

namespace blk {

class CompressedClusters {
 public:
  explicit CompressedClusters(const Qcow2Header& header) : header_(header) {}

  // Copies [skip, skip + size) of the compressed cluster `run` of `file`. Errors: EIO it cannot be decompressed ·
  // ENOTSUP the host has no library for that; with a Why · the medium's.   REQUIRES: it lies inside the cluster.
  Status Read(Medium& file, Channel& channel, const Qcow2Run& run, uint64_t skip, uint8_t* data, size_t size)
      EXCLUDES(mu_);

 private:
  using Bytes = std::shared_ptr<const std::vector<uint8_t>>;

  Bytes Last(uint64_t host) EXCLUDES(mu_);
  Result<Bytes> Decompress(Medium& file, Channel& channel, const Qcow2Run& run) EXCLUDES(mu_);

  const Qcow2Header& header_;
  Mutex mu_;
  uint64_t last_host_ GUARDED_BY(mu_) = 0;
  Bytes last_ GUARDED_BY(mu_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_COMPRESSED_H_
