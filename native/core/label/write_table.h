// WriteTable: turns a tree of partition tables into the sectors to write, in an order that leaves a readable table on
// the medium at every moment, as far as the scheme can. What is no part of a table (boot code, the rest of a label) is
// kept as it lies there; what would make another scheme of the medium is erased.
// No state. Nothing is planned for a table with verdicts: whoever asks decides what to do about them.
#ifndef RUMPBLK_CORE_LABEL_WRITE_TABLE_H_
#define RUMPBLK_CORE_LABEL_WRITE_TABLE_H_

#include "core/base/status.h"
#include "core/label/overwrite.h"
#include "core/label/partition_table.h"
#include "core/label/table_plan.h"
#include "core/label/table_source.h"
#include "core/label/write_label.h"

namespace blk {

// Plans the change from what lies on `medium` to `table`: of a scheme that lies there already, no byte is changed that
// says what `table` says, or nothing that a table says. A tree with the scheme bsd, mbr or gpt at its top. A
// table of a scheme that is not written stays where it lies in a slice. With Overwrite::kRefuse there is a verdict for
// what the plan would destroy: see overwrite.h. A
// sector_size of 0 is filled in: the sectors of the medium, or of the table that it is in; so is the position 0 of a
// bare label. Fills in names, `usable` and verdicts: for what reading would say of it, for sectors that do not divide,
// and for what the scheme has no place for.
// -> the plan, empty when some table of the tree has a verdict. Errors: those of medium.Read().
Result<TablePlan> PlanTable(TableSource& medium, PartitionTable& table, Overwrite overwrite = Overwrite::kRefuse);

// Whether a table of the tree has a verdict.
bool HasVerdict(const PartitionTable& table);

// ---- the schemes; each judges its table and, without a verdict, adds to the plan

// `there`: the table of the same scheme that lies on the medium, as it reads; nullptr where none does.
Status PlanMbr(TableSource& source, PartitionTable& table, const PartitionTable* there, TablePlan& plan);
Status PlanGpt(TableSource& source, PartitionTable& table, const PartitionTable* there, TablePlan& plan);
Status PlanBsd(TableSource& source, PartitionTable& table, const Slice& slice, TablePlan& plan);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_WRITE_TABLE_H_
