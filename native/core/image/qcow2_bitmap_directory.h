// The directory of the bitmaps of a qcow2 image as data: its entries, read and made. Nothing of it is trusted, and what
// is not known is kept as it is.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_DIRECTORY_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_DIRECTORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/image/qcow2_header.h"

namespace blk {

// As QEMU's programs bound them.
inline constexpr uint32_t kMostBitmaps = 65535;
inline constexpr uint64_t kMostBitmapDirectory = uint64_t{1024} * kMostBitmaps;
inline constexpr size_t kMostBitmapName = 1023;
inline constexpr unsigned kLeastBitmapShift = 9, kMostBitmapShift = 31;
inline constexpr uint64_t kMostBitmapTable = 0x8000000;            // entries
inline constexpr uint64_t kMostBitmapBytes = uint64_t{512} << 20;  // of the bits of one

inline constexpr uint32_t kBitmapInUse = 1, kBitmapAuto = 2, kBitmapExtraCompatible = 4;
inline constexpr uint64_t kBitmapFlagsField = 12;  // of an entry

struct Qcow2BitmapEntry {
  uint64_t at = 0;     // in the directory
  uint64_t table = 0;  // offset in the file
  uint32_t table_entries = 0;
  uint32_t flags = 0;
  uint8_t type = 0;
  uint8_t shift = 0;
  std::string name;
  bool extra = false;
  bool twice = false;          // an entry before it has the same name
  std::vector<uint8_t> bytes;  // all of it

  bool on() const { return (flags & kBitmapAuto) != 0; }
  bool in_use() const { return (flags & kBitmapInUse) != 0; }
  // Whether it is a bitmap of changes of which nothing is unknown.
  bool known() const;
};

// The entries of a directory. Nothing: it contradicts itself.
std::optional<std::vector<Qcow2BitmapEntry>> ParseBitmapDirectory(const std::vector<uint8_t>& bytes, uint32_t count);

// A new entry, which is on, and in use.   REQUIRES: name.size() is from 1 to kMostBitmapName.
Qcow2BitmapEntry MakeBitmapEntry(const std::string& name, unsigned shift, uint64_t table, uint32_t table_entries);

// What a bitmap takes.
struct Qcow2BitmapSize {
  uint64_t bytes = 0;    // of bits
  uint64_t entries = 0;  // of its table, a cluster each
  uint64_t table_clusters = 0;

  bool fits() const { return entries > 0 && entries <= kMostBitmapTable && bytes <= kMostBitmapBytes; }
};
Qcow2BitmapSize SizeOfBitmap(const Qcow2Header& header, unsigned shift);

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_BITMAP_DIRECTORY_H_
