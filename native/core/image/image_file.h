// ReadImageFile: reads from the file that an image lies in, where what lies behind its end is zeros: an image may end
// with the last byte that was written of its last cluster. Thread-safe.
#ifndef RUMPBLK_CORE_IMAGE_IMAGE_FILE_H_
#define RUMPBLK_CORE_IMAGE_IMAGE_FILE_H_

#include "core/medium/channel.h"
#include "core/medium/medium.h"

namespace blk {

// Reads [at, at + size) through `channel` of `file`. Errors: those of Channel::Read(), but for the end.
Moved ReadImageFile(Medium& file, Channel& channel, MediumOffset at, uint8_t* data, size_t size,
                    const PieceRules& rules);

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_IMAGE_FILE_H_
