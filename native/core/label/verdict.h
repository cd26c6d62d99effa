// Verdict: what is wrong with a label or a table that was read from a medium. Decoders never fail on what they read;
// they give what they could make of it, and a verdict for each thing that is not as it should be.
// Plain data. The words for each kind are in lib/label/verdicts.ts.
#ifndef RUMPBLK_CORE_LABEL_VERDICT_H_
#define RUMPBLK_CORE_LABEL_VERDICT_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace blk {

struct Verdict {
  static constexpr int kNoEntry = -1;

  enum class Kind : uint8_t {
    // of a label or a table
    kMagic,            // no magic number at either end
    kCutShort,         // more partitions than there are bytes
    kChecksum,         // value: the residue
    kCount,            // value: partitions that it claims
    kSectorSize,       // value: bytes of a sector that it claims
    kBackupUsed,       // GPT: the primary header does not hold
    kBackupBad,        // GPT: the backup header does not hold
    kBackupMisplaced,  // GPT: the backup is not in the last sector; value: where it is, in sectors
    kBackupDiffers,    // GPT: both hold, and say different things
    kMediumCut,        // GPT: value: the last sector for partitions, which the medium has not
    kHeaderBad,        // GPT: neither header holds, nothing is known about partitions
    kNoProtectiveMbr,  // GPT without the MBR that goes with it
    kChainLoops,       // EBR: value: the sector that comes again
    kChainLeaves,      // EBR: value: the sector outside the extended partition
    kChainBroken,      // EBR: value: the sector without a signature
    kChainTooLong,     // EBR: value: entries that were read
    kUnknownScheme,    // text: the name of a scheme that is recognised and not read
    // of an entry
    kBeyondDevice,      // the partition ends behind the end of the device
    kOutsideContainer,  // it is not inside the partition or the area it has to be in
    kOverlaps,          // value: index of the entry it shares sectors with
    kBackwards,         // GPT: the last sector is before the first
    kExtraEntry,        // EBR: a third or fourth entry in one sector
    kTooLarge,          // it ends beyond 2^53 bytes
    kNotCounted,        // label: value: index of an entry in front of the medium, or beyond 2^53 bytes
    // of a table to be written, or an entry of one
    kBadPlace,      // the table cannot lie where it says
    kNoRoom,        // the medium is too small for the table
    kReadOnly,      // a table of a scheme that is not written
    kHoldsScheme,   // text: the name of a scheme that the medium is divided by
    kHoldsContent,  // text: the type of what lies there: see ContentProbe
    kBehindLabel,   // something else lies behind the label, where its new partitions would be listed
    kMovesOrigin,   // label of FreeBSD: partition c, which the others count from, would not begin with the slice
    kBadSlot,       // the index is one that the scheme has not, or another entry's
    kMisaligned,    // start or size are not whole sectors
    kEmpty,         // no bytes at all
    kTooFar,        // sectors that the scheme's 32 bits do not count
    kNoLink,        // EBR: no sector in front of the partition is free for its link
    kBadNesting,    // a table that cannot lie in such a partition
    kBadType,       // a type that stands for no partition
    kBadSectors,    // value: bytes of the sectors that it counts in, with which nobody would read it
    // of what lies beside the partitions
    kHalfEntry,      // MBR: a type without a size, or a size without a type; value: index
    kHybridMisfit,   // GPT: an entry of its hybrid MBR that is no partition of it; value: number of the entry, from 1
    kArrayTooLarge,  // GPT: value: bytes of entries, more than are read
    kCoversLink,     // EBR: the partition lies over a link of the chain
    // of a label to be written
    kNoCylinders,  // no sectors in a cylinder, which kernels refuse
    kPlaceTaken,   // text: what has the place of the label
  };

  // The order of Kind is a contract with lib/label/verdicts.ts, whose list of words has the same one.
  Kind kind;
  int entry = kNoEntry;  // place in the table's list of the partition it is about; in a label alone its index
  uint64_t value = 0;
  std::string_view text{};  // static
};

using Verdicts = std::vector<Verdict>;

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_VERDICT_H_
