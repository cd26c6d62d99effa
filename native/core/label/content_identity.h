// ContentIdentity: what lies in a partition, and what it is called: the UUID
// and the label that file systems, swap spaces and encrypted volumes have. By
// the rules of libblkid, so that `blkid` names the same: what a superblock's
// numbers say that cannot be is nothing; its checksum is nobody's business but
// the file system's. No state; never fails on what it reads, and reads a
// bounded part of it.
#ifndef RUMPBLK_CORE_LABEL_CONTENT_IDENTITY_H_
#define RUMPBLK_CORE_LABEL_CONTENT_IDENTITY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/status.h"
#include "core/label/partition_table.h"
#include "core/label/table_source.h"

namespace blk {

// What begins at `begin`, of a part of `size` bytes. Errors: those of
// source.Read().
Result<std::optional<ContentIdentity>> IdentifyContent(TableSource& source, uint64_t begin, uint64_t size);

// Fills in `content` of every partition of the tree that can become a device
// and holds no table. Errors: those of source.Read().
Status IdentifyContents(TableSource& source, PartitionTable& table);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_CONTENT_IDENTITY_H_
