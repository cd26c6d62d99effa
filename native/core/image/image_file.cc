#include "core/image/image_file.h"

#include <cstring>

namespace blk {

Moved ReadImageFile(Medium& file, Channel& channel, MediumOffset at, uint8_t* data, size_t size,
                    const PieceRules& rules) {
  const Moved moved = channel.Read(at, data, size, rules);
  if (moved.status.err != EIO) return moved;
  const Result<uint64_t> end = file.SizeNow();
  // It did not end there: the error is the medium's own.
  if (!end.ok() || at.value + moved.bytes < end.value()) return moved;
  std::memset(data + moved.bytes, 0, size - moved.bytes);
  return {size, Status::Ok()};
}

}  // namespace blk
