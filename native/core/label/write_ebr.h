// WriteEbr: the sectors of the chain of an extended partition, in an order in which the chain leads nowhere wrong.
// No state.
#ifndef RUMPBLK_CORE_LABEL_WRITE_EBR_H_
#define RUMPBLK_CORE_LABEL_WRITE_EBR_H_

#include "core/label/chain_order.h"
#include "core/label/write_table.h"

namespace blk {

// Plans the table of `extended`, a chain whose entries have names, with the links of OrderLinks(). What else a link has
// stays, and so do pointers out of a chain that could not be read to its end. New links are on the medium before what
// leads to them.
// Adds the verdicts of OrderLinks(), and those for what reading would say of it and `place.old` did not have.
// Errors: those of source.Read().
Status PlanChain(TableSource& source, PartitionEntry& extended, const ChainPlace& place, TablePlan& plan);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_WRITE_EBR_H_
