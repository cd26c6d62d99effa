// Overwrite: what lies on a medium that a table must not be written over unasked: a scheme that is not written here, a
// file system or its like. No state.
#ifndef RUMPBLK_CORE_LABEL_OVERWRITE_H_
#define RUMPBLK_CORE_LABEL_OVERWRITE_H_

#include <optional>
#include <vector>

#include "core/base/status.h"
#include "core/label/byte_range.h"
#include "core/label/partition_table.h"
#include "core/label/table_plan.h"
#include "core/label/table_source.h"

namespace blk {

// Whether a table may take the place of what lies there.
enum class Overwrite : uint8_t { kRefuse, kAllow };

// What the writes of a plan would destroy: where nothing divides the medium, or a scheme that is only read, whatever it
// holds; where a table does, only what the writes touch, and what that table has not damaged already.
// The same for slices that get a label and have none. `there` is what ReadPartitionTable() makes of the medium.
// -> verdicts of the kinds kHoldsScheme and kHoldsContent. Errors: those of source.Read().
Result<Verdicts> WhatWouldBeLost(TableSource& source, const std::optional<PartitionTable>& there,
                                 const PartitionTable& table, const TablePlan& plan);

// The same for a label, which takes no more than its own bytes: only what the write touches, and schemes.
// Errors: those of source.Read().
Result<Verdicts> WhatLabelWouldDestroy(TableSource& source, const TableWrite& write);

// Whether what was read of a medium is a table that is written here and divides it.
bool Divides(const std::optional<PartitionTable>& there);

// Signatures by which a medium that `table` was just put on would be taken for something else: those of schemes that
// are not written here, and of what the medium itself holds, unless a partition begins where it does. Errors: those of
// source.Read().
Result<std::vector<ByteRange>> SignaturesBeside(TableSource& source, const PartitionTable& table);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_OVERWRITE_H_
