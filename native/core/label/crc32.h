// Crc32: the checksum of GPT, CRC-32 of ISO 3309 (reflected polynomial 0xEDB88320). No state; thread-safe.
#ifndef RUMPBLK_CORE_LABEL_CRC32_H_
#define RUMPBLK_CORE_LABEL_CRC32_H_

#include <cstddef>
#include <cstdint>

namespace blk {

uint32_t Crc32(const uint8_t* data, size_t size);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_CRC32_H_
