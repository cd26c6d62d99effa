// AppleMap: the Apple Partition Map, read only. Big endian; it counts in the blocks that block 0 names.
// No state; never fails on what it reads. Model: the layout of Inside Macintosh (Devices), and what libblkid lists.
#ifndef RUMPBLK_CORE_LABEL_APPLE_MAP_H_
#define RUMPBLK_CORE_LABEL_APPLE_MAP_H_

#include <cstdint>
#include <optional>

#include "core/base/status.h"
#include "core/label/partition_table.h"
#include "core/label/table_source.h"

namespace blk {

// More entries than any tool makes; an end for maps that claim four thousand million.
inline constexpr uint32_t kMaxMapEntries = 256;

// The map, with every entry of it: the map itself and free space have entries too. Nothing where block 0 is no driver
// descriptor or block 1 no entry. Errors: those of source.Read().
Result<std::optional<PartitionTable>> ReadAppleMap(TableSource& source);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_APPLE_MAP_H_
