// ContentProbe: what a medium, or a part of one, begins with when that is no partition table: a file system, swap
// space, an encrypted volume, a member of a volume group. Known by the signatures that libblkid knows them by, and by
// its names. No state; never fails on what it reads.
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
  std::string_view type;  // static: 'ext4', 'vfat', 'crypto_LUKS', ... as `blkid` prints TYPE
  ByteRange signature;    // what it is known by: without these bytes it is nothing
  ByteRange header;       // what describes it: a write there damages it
};

// What begins at `begin`, of a part of `size` bytes. Reads at most 72 KiB and a few sectors behind them.
// Errors: those of source.Read().
Result<std::optional<Content>> ProbeContent(TableSource& source, uint64_t begin, uint64_t size);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_CONTENT_PROBE_H_
