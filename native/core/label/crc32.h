// Crc32: the checksum of GPT, CRC-32 of ISO 3309 (reflected polynomial 0xEDB88320). No state; thread-safe.
#ifndef RUMPBLK_CORE_LABEL_CRC32_H_
#define RUMPBLK_CORE_LABEL_CRC32_H_

#include <cstddef>
#include <cstdint>

namespace blk {

// Of the whole of `data`; of no bytes 0. A GPT header is summed with its own checksum field at 0: that is for the
// caller. Linear in `size`: callers bound what a medium may make them sum.
uint32_t Crc32(const uint8_t* data, size_t size);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_CRC32_H_
