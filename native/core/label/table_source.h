// TableSource: the bytes that labels and tables are read from: a device, a minor, memory in a test.
// Implementations say how they behave with threads; readers use one from one thread at a time.
#ifndef RUMPBLK_CORE_LABEL_TABLE_SOURCE_H_
#define RUMPBLK_CORE_LABEL_TABLE_SOURCE_H_

#include <cstddef>
#include <cstdint>

#include "core/base/status.h"
#include "core/base/units.h"

namespace blk {

class TableSource {
 public:
  virtual ~TableSource() = default;

  // Bytes of the medium.
  virtual uint64_t size() const = 0;
  // Bytes of what the medium calls a sector, which an MBR counts in; a GPT and a label tell their own.
  virtual uint64_t sector_size() const { return kDevBsize; }
  // Reads [position, position + size), which lies inside the medium. Errors: those of the medium.
  virtual Status Read(uint64_t position, uint8_t* data, size_t size) = 0;

  // Whether [position, position + length) lies inside the medium; no sum overflows.
  bool Holds(uint64_t position, uint64_t length) const { return length <= size() && position <= size() - length; }
};

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_TABLE_SOURCE_H_
