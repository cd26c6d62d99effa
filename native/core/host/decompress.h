// Decompression by the libraries of the process or the host, libz.so.1 and libzstd.so.1, looked for when first needed,
// so that nothing has to be there to build this package, nor to run it where no image is compressed. Thread-safe.
#ifndef RUMPBLK_CORE_HOST_DECOMPRESS_H_
#define RUMPBLK_CORE_HOST_DECOMPRESS_H_

#include <cstddef>
#include <cstdint>

namespace blk {

// Fills [to, to + size) from what is compressed at `from`, of which as much is read as that takes. By a raw deflate
// stream, and by a frame of zstd.
// -> 0; ENOSYS the host has no such library; EIO what is there does not give so many bytes; ENOMEM.
int Inflate(const uint8_t* from, size_t from_size, uint8_t* to, size_t size);
int Unzstd(const uint8_t* from, size_t from_size, uint8_t* to, size_t size);

}  // namespace blk

#endif  // RUMPBLK_CORE_HOST_DECOMPRESS_H_
