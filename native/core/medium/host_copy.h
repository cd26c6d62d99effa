// HostCopy: one copy from one host file to another that the host makes itself: blocks that both share from then on
// where the file system can, else bytes that never come up to this process. Holes of the source are not read; in the
// target they are holes. Used by one thread, for one copy.
#ifndef RUMPBLK_CORE_MEDIUM_HOST_COPY_H_
#define RUMPBLK_CORE_MEDIUM_HOST_COPY_H_

#include "core/base/moved.h"
#include "core/medium/channel.h"
#include "core/medium/host_file.h"

namespace blk {

class HostCopy {
 public:
  // What is given outlives this object.
  HostCopy(Channel& target, CopySource& source, const PieceRules& rules)
      : target_(target), source_(source), rules_(rules), from_(source.channel->host_file()), to_(target.host_file()) {}

  // What Channel::Copy() says; of much data only the first part.
  Moved Run(MediumOffset at, uint64_t size);

  // Data that is moved in one go, after which whoever waits is told.
  static constexpr uint64_t kMostData = 64 << 20;
  // Bytes that are shared in one call, between two looks at a cancel flag; they end at multiples of it in the target.
  static constexpr uint64_t kMostShared = 1 << 30;

 private:
  // Whether both ends are files that are read and written through the page cache.
  bool CanCopy() const;
  // Moves the first part of [at, at + size).
  Moved Step(MediumOffset at, uint64_t size);
  // Shares the blocks of [at, at + size), whole ones but at the end of both files. -> bytes, 0 where that cannot be.
  uint64_t Share(MediumOffset at, uint64_t size);
  // Counts what was shared.
  void CountShared(MediumOffset at, uint64_t size);
  // Goes through the extents of the source under [at, at + size): `data` and `hole` do theirs. Ends where one fails, or
  // moves less than all.
  template <typename Data, typename Hole>
  Moved EachExtent(MediumOffset at, uint64_t size, Data data, Hole hole);
  Moved CopyData(MediumOffset at, uint64_t size);
  Moved MakeHole(MediumOffset at, uint64_t size);
  // Where in the source the byte for `at` in the target lies.
  MediumOffset FromOf(MediumOffset at) const { return {source_.at.value + (at.value - begin_.value)}; }

  Channel& target_;
  CopySource& source_;
  const PieceRules& rules_;
  const HostFile* const from_;
  const HostFile* const to_;
  MediumOffset begin_;       // of the copy, in the target
  bool can_share_ = true;    // until the host says otherwise
  uint64_t data_moved_ = 0;  // bytes
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_HOST_COPY_H_
