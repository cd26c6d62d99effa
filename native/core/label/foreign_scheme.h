// ForeignScheme: partition schemes that are recognised by their signatures and not read, so that nobody takes such a
// disk for an undivided one. No state; never fails on what it reads.
#ifndef RUMPBLK_CORE_LABEL_FOREIGN_SCHEME_H_
#define RUMPBLK_CORE_LABEL_FOREIGN_SCHEME_H_

#include <optional>
#include <string_view>

#include "core/base/status.h"
#include "core/label/byte_range.h"
#include "core/label/mbr.h"
#include "core/label/table_source.h"

namespace blk {

struct ForeignScheme {
  std::string_view name;  // static: 'Amiga rigid disk block'
  ByteRange signature;    // what it is known by: without these bytes it is nothing
  ByteRange header;       // what describes it: a write there damages it
};

// Those that may have an MBR's signature, or an MBR beside them, and mean something else: SGI, AIX, PC-98, LDM.
// Errors: those of source.Read().
Result<std::optional<ForeignScheme>> FindSchemeBeforeMbr(TableSource& source, const MbrImage& sector0);

// Those to be looked for where no MBR and no label divides the medium: Amiga, Atari, DASD, disklabel64, and others.
// Errors: those of source.Read().
Result<std::optional<ForeignScheme>> FindSchemeWithoutMbr(TableSource& source, const MbrImage& sector0);

// The disklabel64 of DragonFly in a slice, or on a medium, that begins at `begin`. Errors: those of source.Read().
Result<std::optional<ForeignScheme>> FindDisklabel64(TableSource& source, uint64_t begin);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_FOREIGN_SCHEME_H_
