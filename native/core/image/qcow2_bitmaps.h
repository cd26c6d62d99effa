// Qcow2Bitmaps: the bitmaps of a qcow2 image while it is written. Those that are on are marked, whoever made them: they
// are in memory meanwhile, and marked as in use in the file, durably, before anything is written. When nobody writes
// any more their bits are written, and only when that is durable they are marked as saved: a crash leaves them in use,
// which nobody trusts, or right. What is unknown or damaged stays as it is, in use where it is on.
// Thread-safe are Mark(), and the bitmaps themselves; whoever has the writer guards the rest.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_BITMAPS_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_BITMAPS_H_

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/image/qcow2_bitmap.h"
#include "core/image/qcow2_bitmap_directory.h"
#include "core/image/qcow2_bitmap_header.h"
#include "core/image/qcow2_bitmap_table.h"
#include "core/image/qcow2_clusters.h"
#include "core/image/qcow2_image.h"

namespace blk {

class Qcow2Bitmaps {
 public:
  // Makes the image fit to be written: also clears autoclear bits that are not known. `clusters`, `image` and `file`,
  // the writer's own way to the image, outlive this object. Errors: the medium's.
  static Result<std::unique_ptr<Qcow2Bitmaps>> Begin(Qcow2Image& image, Qcow2Clusters& clusters, Channel& file);

  // What is changed: to be called before it may reach the file, and once more behind it.
  void Mark(MediumSpan changed) {
    if (any_.load()) tracks_->Mark(changed);
  }

  // A change of the bytes [at, at + size) of the disk: marks them before it and behind it.
  class Change {
   public:
    Change(Qcow2Bitmaps& bitmaps, uint64_t at, uint64_t size) : bitmaps_(bitmaps), span_{{at}, {at + size}} {
      bitmaps_.Mark(span_);
    }
    ~Change() { bitmaps_.Mark(span_); }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    Qcow2Bitmaps& bitmaps_;
    const MediumSpan span_;
  };

  // As Medium has them.
  Result<std::shared_ptr<KeptChanges>> Keep(const std::string& name, std::optional<unsigned> shift);
  std::vector<KeptBitmap> List() const;
  Result<bool> Remove(const std::string& name);
  // The list of an image that nobody writes. Errors: the medium's.
  static Result<std::vector<KeptBitmap>> ListIn(Medium& file, const Qcow2Header& header);

  // Saves them. Once, when nothing is written any more; nothing marks them then. Errors: the medium's · ENOSPC; those
  // that could not be saved stay marked as in use.
  Status End();

 private:
  struct Loaded {
    std::shared_ptr<Qcow2Bitmap> bitmap;
    Qcow2BitmapTable table;
  };

  Qcow2Bitmaps(Qcow2Image& image, Qcow2Clusters& clusters, Channel& file)
      : image_(image), medium_(image.file()), disk_(image.header()), clusters_(clusters), file_(file) {}

  // Reads all there is, marks what is on as in use, and syncs that.
  Status Open();
  Status LoadOnes();
  Status MarkInUse();
  // The table of an entry, whose clusters are counted once, and are neither tables of the image nor another bitmap's;
  // nothing where that is not so. Whether the disk has one of them as data is not looked at.
  Result<std::optional<Qcow2BitmapTable>> TableOf(const Qcow2BitmapEntry& entry);
  Result<bool> Claim(const std::vector<ClusterSpan>& clusters);
  void MarkUsed(const std::vector<ClusterSpan>& clusters);
  void Unclaim(const std::vector<ClusterSpan>& clusters);

  Qcow2BitmapEntry* Find(const std::string& name);
  std::shared_ptr<Qcow2Bitmap> Hold(const Qcow2BitmapEntry& entry, Qcow2BitmapTable table, bool consistent,
                                    std::shared_ptr<ChangeMap> map);
  std::shared_ptr<ChangeMap> NewMap(unsigned shift) const;
  // Gives the entry at `index`, or a new one behind the last, a new table, and keeps it.
  Result<std::shared_ptr<KeptChanges>> Make(size_t index, const std::string& name, unsigned shift, bool consistent);
  // A directory in memory.
  struct Draft {
    std::vector<Qcow2BitmapEntry> entries;
    std::vector<uint8_t> bytes;  // whole clusters
    uint64_t size = 0;           // bytes of it that are entries

    void PlaceTable(size_t index, uint64_t offset);
  };
  // Of all entries, to be named by the header, which has room for that. Errors: ENOSPC, with a Why · the medium's.
  Result<Draft> DraftOf(std::vector<Qcow2BitmapEntry> entries);
  // Writes it to a new place, which the header names then. -> the clusters of the old one, to be freed. Where it fails
  // before the header may name the new one, `rows`, which only the draft points to, are given back.
  Result<std::vector<ClusterSpan>> PutDirectory(Draft draft, std::vector<ClusterSpan> rows);
  // The same of entries that need no row; and so that there is none. After a failure there are those that there were.
  Result<std::vector<ClusterSpan>> Replace(std::vector<Qcow2BitmapEntry> entries);
  Result<std::vector<ClusterSpan>> DropDirectory();
  std::vector<ClusterSpan> ClustersOf(const Qcow2BitmapPlace& place) const;
  Status SetFlags(Qcow2BitmapEntry& entry, uint32_t flags);
  // Another backing file may have moved what the header says.
  Status LookAgain();

  Qcow2Image& image_;
  Medium& medium_;
  const Qcow2Header& disk_;
  Qcow2Clusters& clusters_;
  Channel& file_;

  Qcow2BitmapHeader header_;
  std::optional<Qcow2BitmapPlace> place_;  // of the directory
  std::vector<Qcow2BitmapEntry> entries_;
  std::vector<uint64_t> busy_;         // clusters of the tables of the image, in order
  std::unordered_set<uint64_t> used_;  // clusters of what is loaded, and of the directory
  std::map<std::string, Loaded> loaded_;
  const std::shared_ptr<ChangeTracks> tracks_ = std::make_shared<ChangeTracks>();
  std::atomic<bool> any_{false};
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_BITMAPS_H_
