// GptLayout: where the headers and arrays of a GPT that is written come to lie, from where those lie that are there. No
// state; ss is the size of a sector of the table.
#ifndef RUMPBLK_CORE_LABEL_GPT_LAYOUT_H_
#define RUMPBLK_CORE_LABEL_GPT_LAYOUT_H_

#include <cstdint>

#include "core/base/status.h"
#include "core/label/gpt.h"
#include "core/label/table_source.h"

namespace blk {

// What is to be written over what is there.
struct GptLayout {
  GptHeader primary;
  GptHeader backup;
  bool moves = false;  // a copy comes to lie where none lay
};

// Sectors that so many bytes take.
uint64_t GptSectorsOf(uint64_t bytes, uint64_t sector_size);

// Of a GPT where none is, on a medium of `sectors`; with at least `slots` entries.
GptLayout FreshGptLayout(uint32_t slots, uint64_t sectors, uint64_t ss);

// Of one that goes on: all numbers stay, unless the table asks for more slots than there are, or the medium has another
// size. `found` has a copy. Errors: those of source.Read().
Result<GptLayout> KeptGptLayout(TableSource& source, const GptFound& found, uint32_t slots, uint64_t ss);

// Whether arrays that are to grow do so over bytes that somebody may need. Entries are none of those: a growth that
// failed in its middle has left them. Behind the last usable sector lies nobody's but the backup's. `found` has a copy.
// Errors: those of source.Read().
Result<bool> GptGrowsOver(TableSource& source, const GptFound& found, const GptLayout& layout, uint64_t ss);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_GPT_LAYOUT_H_
