// Qcow2Allocator: gives out clusters of a qcow2 image that read as zeros and are counted as in use already, durably:
// it claims many at once, and one sync serves all of them. So an entry of a table may point to a cluster as soon as its
// data is written, and whatever of that a crash keeps, no entry points to what is counted as free. Clusters that are
// claimed and not used are given back at the end; a crash leaves them counted, which costs no room on the host.
// Not thread-safe: Qcow2Writer guards it.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_ALLOCATOR_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_ALLOCATOR_H_

#include <memory>
#include <vector>

#include "core/image/qcow2_refcounts.h"
#include "core/image/qcow2_tables.h"
#include "core/medium/medium.h"

namespace blk {

class Qcow2Allocator {
 public:
  // Errors: those of Qcow2Refcounts::Create(). What is given outlives it.
  static Result<std::unique_ptr<Qcow2Allocator>> Create(Medium& medium, Channel& file, const Qcow2Header& header,
                                                        Qcow2Tables& tables);

  // Up to `most` clusters in a row, at least one. Errors: ENOSPC the medium does not grow, or the tables cannot, with a
  // Why · the medium's.   REQUIRES: most > 0.
  Result<ClusterSpan> Take(uint64_t most);
  // Notes that one reference to each cluster is gone, or that nobody came to use it: for Freed() once what said so is
  // durable.
  void Drop(ClusterSpan clusters) { dropped_.push_back(clusters); }
  // What was dropped so far; Freed() of it after a sync makes it so. Errors: EIO, damaged · the medium's.
  std::vector<ClusterSpan> TakeDropped() { return std::exchange(dropped_, {}); }
  Status Freed(const std::vector<ClusterSpan>& clusters);
  bool has_dropped() const { return !dropped_.empty(); }
  Qcow2Refcounts& counts() { return *counts_; }

  // EIO, with a Why, when one of these references, sorted, goes to what the image itself lies in.
  Status CheckReferences(const std::vector<uint64_t>& references) const;
  // Takes all these references, sorted, off the counts, gives back the room of what nothing refers to any more, and
  // goes on behind what is still in use. All of them, whatever fails; what stays counted costs room, and no more.
  // Errors: EIO, damaged · the medium's.   REQUIRES: that they are gone is durable.
  Status FreeAll(const std::vector<uint64_t>& references);

  // Gives back what was claimed and not used. Errors: the medium's.
  Status End();

 private:
  Qcow2Allocator(Medium& medium, Channel& file, const Qcow2Header& header, Qcow2Tables& tables)
      : medium_(medium), file_(file), header_(header), tables_(tables) {}

  // Begins behind all that is in use, with a small claim. Errors: EIO, damaged · the medium's.
  Status FindNext(uint64_t file_size);
  // Makes the next clusters ours. Errors: those of Take().
  Status Claim();
  // How many clusters from next_ on there may be: no more than `want`. Errors: ENOSPC · the medium's.
  Result<uint64_t> Room(uint64_t want) const;
  // Makes the next clusters zeros, as many as a claim has, or as the medium has room for. Errors: those of Room() · the
  // medium's.
  Result<ClusterSpan> ClearMost();
  // Makes clusters zeros, and the file as long as they are. Errors: the medium's.
  Status Clear(ClusterSpan clusters);

  Medium& medium_;
  Channel& file_;
  const Qcow2Header& header_;
  Qcow2Tables& tables_;
  std::unique_ptr<Qcow2Refcounts> counts_;
  uint64_t next_ = 0;    // behind all that are in use
  ClusterSpan claimed_;  // and not given out yet
  uint64_t claim_ = 0;   // clusters of the next claim
  std::vector<ClusterSpan> dropped_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_ALLOCATOR_H_
