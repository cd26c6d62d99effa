// Wedges: the partitions of a disk, whatever the scheme, as a flat list: what NetBSD makes dk(4) devices of.
// No state; thread-safe.   Model: DIOCLWEDGES and DIOCGWEDGEINFO of NetBSD's dk(4).
#ifndef RUMPBLK_CORE_DEVICE_WEDGES_H_
#define RUMPBLK_CORE_DEVICE_WEDGES_H_

#include <vector>

#include "core/base/status.h"
#include "core/device/minor.h"

namespace blk {

// A copy: what it says was true when the medium was read.
struct Wedge {
  PartitionSpot spot;
  int minor = kPrivateMinor;  // where it is registered, or kPrivateMinor
};

// Where the partitions of `table` and of the tables in it lie that can become devices, in order of the tables. Extended
// partitions and entries of a disklabel without a type hold no data of their own and are left out.
std::vector<PartitionSpot> WedgeSpots(const PartitionTable& table);

// The partitions that the medium of this minor's disk says now and that can become devices, by WedgeSpots().
// Errors: the host's.
Result<std::vector<Wedge>> ListWedges(const Minor& minor);
// The wedge that the minor is. Errors: ENOTTY it is no partition.
Result<Wedge> GetWedge(const Minor& minor);

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_WEDGES_H_
