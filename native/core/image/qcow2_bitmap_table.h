// Qcow2BitmapTable: where the bits of one bitmap of a qcow2 image lie, how they are read, and how they are written: in
// the clusters that they have, for nobody trusts them while the bitmap is marked as in use.
// Not thread-safe: Qcow2Bitmaps owns it.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_TABLE_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_TABLE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/change_map.h"
#include "core/base/status.h"
#include "core/image/qcow2_bitmap_directory.h"
#include "core/image/qcow2_clusters.h"

namespace blk {

class Qcow2BitmapTable {
 public:
  // Reads the table that `entry` names. Nothing: it is damaged, or not of the size that the disk needs. Errors: the
  // medium's.
  static Result<std::optional<Qcow2BitmapTable>> Read(Medium& file, const Qcow2Header& header,
                                                      const Qcow2BitmapEntry& entry);
  // A table that is all zeros, and nowhere until PlaceAt() says where in the file.
  static Qcow2BitmapTable Empty(const Qcow2Header& header, const Qcow2BitmapSize& size);
  void PlaceAt(uint64_t offset) { offset_ = offset; }

  // Of the table, and of the bits.
  std::vector<ClusterSpan> Clusters() const;

  // Marks in `map` what is set. Errors: the medium's.   REQUIRES of both: `map` is of all of the disk.
  Status Load(Medium& medium, Channel& file, ChangeMap& map) const;
  // Makes the bits those of `map`, for a sync to follow. Errors: those of Qcow2Clusters::TakeRow() · the medium's; what
  // the file has then is not known.
  Status Save(Medium& medium, Channel& file, Qcow2Clusters& clusters, const ChangeMap& map);

 private:
  Qcow2BitmapTable(const Qcow2Header& header, uint64_t offset, size_t entries)
      : cluster_bits_(header.cluster_bits), offset_(offset), words_(entries) {}

  size_t cluster_size() const { return size_t{1} << cluster_bits_; }
  Status SaveCluster(Medium& medium, Channel& file, Qcow2Clusters& clusters, const std::vector<uint8_t>& bits,
                     uint64_t& word);

  unsigned cluster_bits_;
  uint64_t offset_;
  std::vector<uint64_t> words_;  // an offset, 0 where all is zeros, 1 where all is ones
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_TABLE_H_
