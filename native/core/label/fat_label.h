// FatLabel: what a FAT file system is called: its serial number, and the label that its root directory has.
// No state; never fails on what it reads.   Model: libblkid's rules, and Microsoft's FAT specification 1.03.
#ifndef RUMPBLK_CORE_LABEL_FAT_LABEL_H_
#define RUMPBLK_CORE_LABEL_FAT_LABEL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace blk {

struct FatName {
  bool has_serial = false;
  uint32_t serial = 0;
  std::string label;  // as it lies there, without the spaces behind it
};

// `read(at, count)` gives `count` bytes from byte `at` of the file system, zeros where it has none. -> nothing where
// the numbers of the boot sector cannot be.
std::optional<FatName> FatNames(uint64_t size, const std::function<std::vector<uint8_t>(uint64_t, size_t)>& read);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_FAT_LABEL_H_
