// Qcow2Writer: writes to the disk in a qcow2 image. What has a place is written there; what has none gets one: its data
// is written first, then the entry that points to it, which the file has when the write returns. A crash of the process
// therefore loses nothing that was acknowledged. Where bytes beside those of the caller have to move as well, from the
// disk below or a compressed cluster, they are durable before the entry is written, so that a power cut between the two
// does not lose them.
// Thread-safe. Lock order: placing_ is held while a place is found and filled, before that of the tables.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_WRITER_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_WRITER_H_

#include <memory>
#include <string>
#include <vector>

#include "core/base/sync.h"
#include "core/image/qcow2_allocator.h"
#include "core/image/qcow2_bitmaps.h"
#include "core/image/qcow2_clusters.h"
#include "core/image/qcow2_image.h"

namespace blk {

class Qcow2Writer final : public Qcow2Clusters {
 public:
  // Makes the image fit to be written: bitmaps() begins. `file` is a way to the image that may write, whose syncs go on
  // to fail once one has (sticky_channel.h), and outlives this object with `image`.
  // Errors: those of MayWriteQcow2() · EIO, damaged, with a Why · the medium's.
  static Result<std::unique_ptr<Qcow2Writer>> Create(Qcow2Image& image, Channel& file);

  // As Channel has them, with `file` the way to the image of the one who asks. What they change is marked in the
  // bitmaps. Syncs are the image's own: what one of them says is said by all that follow. Errors: those of `file` · EIO
  // damaged tables · ENOSPC the image cannot grow; with a Why.
  Moved Write(Channel& file, uint64_t at, const uint8_t* data, size_t size, const PieceRules& rules) EXCLUDES(placing_);
  Moved Zero(Channel& file, uint64_t at, uint64_t size, const PieceRules& rules) EXCLUDES(placing_);
  Moved Discard(Channel& file, uint64_t at, uint64_t size, const PieceRules& rules) EXCLUDES(placing_);
  Status Sync() EXCLUDES(placing_);

  // Makes all of the disk what lies below it, durably, and gives back the room. Interrupted, some of the disk is so and
  // some is not. Errors: EIO damaged tables, with a Why, and nothing has changed · the medium's.
  // REQUIRES: nobody reads or writes meanwhile.
  Status Empty() EXCLUDES(placing_);
  // Notes that what lies below is called so from here on, behind a sync of all that was written, and syncs that.
  // Errors: those of WriteBackingName() and of syncs.
  Status Rename(const std::string& backing, const std::string& format) EXCLUDES(placing_);

  Result<ClusterSpan> TakeRow(uint64_t count) override EXCLUDES(placing_);
  Result<bool> AreSingle(ClusterSpan clusters) override EXCLUDES(placing_);
  Status Free(const std::vector<ClusterSpan>& clusters) override EXCLUDES(placing_);
  std::vector<uint64_t> TableClusters() override EXCLUDES(placing_);

  // What the image keeps of what is changed. Whoever changes all of the disk at once marks it there.
  Qcow2Bitmaps& bitmaps() { return *bitmaps_; }

  // Saves the bitmaps, and gives back what nobody used. Once, after the last write. Errors: the medium's.
  Status End() EXCLUDES(placing_);

 private:
  Qcow2Writer(Qcow2Image& image, Channel& file) : image_(image), header_(image.header()), file_(file) {}

  uint64_t ClusterOf(uint64_t at) const { return AlignDown(at, header_.cluster_size()); }
  // Whether the disk below has bytes in [begin, end); where it has none, zeros show.
  bool ShowsBelow(uint64_t begin, uint64_t end) const;

  // Writes a prefix of [at, at + size) that has no place. -> how much. Errors: those of Write().
  Result<uint64_t> Place(Channel& file, uint64_t at, const uint8_t* data, uint64_t size) REQUIRES(placing_);
  // By what the first cluster is: nothing, a place for some of it, compressed.
  Result<uint64_t> PlaceNew(Channel& file, uint64_t at, const uint8_t* data, uint64_t size, const Qcow2Entry& first)
      REQUIRES(placing_);
  Result<uint64_t> PlaceMore(Channel& file, uint64_t at, const uint8_t* data, uint64_t size, Qcow2Entry entry)
      REQUIRES(placing_);
  Result<uint64_t> PlaceCompressed(Channel& file, uint64_t at, const uint8_t* data, uint64_t size,
                                   const Qcow2Entry& entry) REQUIRES(placing_);
  // Sees to a table for `at`. Errors: those of Qcow2Allocator::Take() · EIO it is shared, with a Why.
  Status EnsureTable(Channel& file, uint64_t at) REQUIRES(placing_);
  // Fills [begin, end) of the cluster at `host`, which lies inside one cluster of the disk, with what shows there now;
  // `*moved` becomes true where that is not what a new cluster has. `always`: zeros are written as well.
  Status Fill(Channel& file, uint64_t host, uint64_t begin, uint64_t end, bool always, bool* moved);
  // The entry of a new cluster at `host`, of which [begin, end) was written.
  Qcow2Entry NewEntry(const Qcow2Entry& old, uint64_t host, uint64_t begin, uint64_t end) const;
  // Bits of the units that [begin, end), in one cluster, touches, or of those that lie wholly in it.
  uint64_t UnitsTouched(uint64_t begin, uint64_t end) const;

  // Makes whole units of [at, at + size), which have no data, show zeros. -> how many bytes, 0: less than a unit.
  Result<uint64_t> HideBelow(Channel& file, uint64_t at, uint64_t size) EXCLUDES(placing_);
  // A prefix of one run. Errors: those of Zero().
  Moved ZeroRun(Channel& file, const Qcow2Run& run, uint64_t at, const PieceRules& rules) EXCLUDES(placing_);
  Moved WriteZeros(Channel& file, uint64_t at, uint64_t size, const PieceRules& rules) EXCLUDES(placing_);
  void DropCompressed(const Qcow2Entry& entry) REQUIRES(placing_);

  Qcow2Image& image_;
  const Qcow2Header& header_;
  Channel& file_;
  std::unique_ptr<Qcow2Bitmaps> bitmaps_;  // fixed from Create() on

  Mutex placing_;
  std::unique_ptr<Qcow2Allocator> allocator_ GUARDED_BY(placing_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_WRITER_H_
