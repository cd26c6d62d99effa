// ContentProbe: what a medium, or a part of one, holds when that is no partition table: a file system, swap space, an
// encrypted volume, a member of an array or a volume group, by the signatures and the names that libblkid has for them;
// or the image of a disk in a format of virtual machines. No state; never fails on what it reads.
#ifndef RUMPBLK_CORE_LABEL_CONTENT_PROBE_H_
#define RUMPBLK_CORE_LABEL_CONTENT_PROBE_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/status.h"
#include "core/label/byte_range.h"
#include "core/label/table_source.h"

namespace blk {

// Positions are bytes from the start of the medium, not of the part that was probed.
struct Content {
  std::string_view type;  // static: 'ext4', 'vfat', 'crypto_LUKS', ... as `blkid` prints TYPE; 'qcow2', 'vmdk', ...
  ByteRange signature;    // what it is known by: without these bytes it is nothing
  ByteRange header;       // what describes it: a write there damages it
};

// What begins at `begin`, of a part of `size` bytes. Reads its first 256 KiB at most, and a few sectors elsewhere.
// Errors: those of source.Read().
Result<std::optional<Content>> ProbeContent(TableSource& source, uint64_t begin, uint64_t size);
// What has its only mark at the end of such a part: the superblock of a RAID array, or the footer of a virtual disk.
// Whatever the part begins with is then not the part's own. Errors: those of source.Read().
Result<std::optional<Content>> ProbeEnd(TableSource& source, uint64_t begin, uint64_t size);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_CONTENT_PROBE_H_
