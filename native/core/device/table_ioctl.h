// TableIoctl: reads and writes partition tables through a device. No state; thread-safe: one change of a disk's tables
// at a time, the others wait for it.
#ifndef RUMPBLK_CORE_DEVICE_TABLE_IOCTL_H_
#define RUMPBLK_CORE_DEVICE_TABLE_IOCTL_H_

#include <cstdint>
#include <optional>

#include "core/base/status.h"
#include "core/device/device.h"
#include "core/label/overwrite.h"
#include "core/label/partition_table.h"
#include "core/label/read_table.h"

namespace blk {

// What was read through a device, and, of an error, whether the fault injector made it.
template <typename T>
struct Found {
  Result<T> outcome;
  bool injected = false;
};
// The tables that there are, and LabelState::version() from before they were read.
struct VersionedTable {
  std::optional<PartitionTable> table;
  uint64_t version = 0;
};

// Reads the tables of the device, each read a request like any other; with `probe` also what lies in the partitions.
// Errors: those of ReadPartitionTable() and IdentifyContents().
Found<VersionedTable> ReadTables(Device& device, bool probe, Lane lane);
// The same for what lies on the device as a whole: what is divided may have a file system over it all the same. Errors:
// those of IdentifyContent().
Found<std::optional<ContentIdentity>> IdentifyDevice(Device& device, Lane lane);
// The same for the one label that FindLabel() finds. Errors: those of that.
Found<std::optional<PlacedLabel>> FindDeviceLabel(Device& device, Lane lane);

// How a table is written.
struct TableChange {
  // LabelState::version() of when the tables were read that this one was made of; none: whatever lies there.
  std::optional<uint64_t> version;
  bool dry_run = false;  // everything but the writes
};

// Makes `table`, a tree, how the device is divided. Its writes are requests of the device like any other; they are
// durable when it returns, unless the cache mode is unsafe, and at each moment what lies there can be read, as far as
// the scheme allows that. Fills in names and verdicts; a table with a verdict is not written.
// With Overwrite::kRefuse what the medium holds besides tables that are written here is a verdict.
// Errors, before anything is written: EAGAIN the tables have changed since `version` · EINVAL it has a verdict · EACCES
// opened for reading · EBUSY it moves, shrinks or drops a partition that is open · EROFS it would change what this open
// must not write. Then those of Strategy::Submit() and Device::Flush().
Status WriteTable(Device& device, PartitionTable& table, Lane lane, Overwrite overwrite = Overwrite::kRefuse,
                  const TableChange& change = {});

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_TABLE_IOCTL_H_
