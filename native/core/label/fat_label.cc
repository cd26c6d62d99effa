#include "core/label/fat_label.h"

#include <algorithm>
#include <cstring>

#include "core/base/byte_order.h"

namespace blk {
namespace {

constexpr size_t kEntryBytes = 32;
constexpr size_t kNameBytes = 11;
constexpr int kMaxClusters = 100;  // of a root directory that are looked at, which ends a chain that loops

enum class Search { kGoOn, kEnd };

// Looks for the label in a piece of the root directory.
Search FindLabel(const std::vector<uint8_t>& entries, std::string* label) {
  constexpr uint8_t kDeleted = 0xe5, kEscaped = 0x05;
  constexpr uint8_t kVolume = 0x08, kDirectory = 0x10, kLongName = 0x0f, kAttributes = 0x3f;
  for (size_t at = 0; at + kEntryBytes <= entries.size(); at += kEntryBytes) {
    const uint8_t* entry = &entries[at];
    if (entry[0] == 0) return Search::kEnd;
    const bool in_cluster = Load<uint16_t>(entry + 20) != 0 || Load<uint16_t>(entry + 26) != 0;
    const bool is_label = (entry[11] & (kVolume | kDirectory)) == kVolume && (entry[11] & kAttributes) != kLongName;
    if (entry[0] == kDeleted || in_cluster || !is_label) continue;
    std::string name(entry, entry + kNameBytes);
    if (entry[0] == kEscaped) name[0] = static_cast<char>(kDeleted);
    name.erase(name.find_last_not_of(' ') + 1);
    *label = name;
    return Search::kEnd;
  }
  return Search::kGoOn;
}

}  // namespace

std::optional<FatName> FatNames(uint64_t size, const std::function<std::vector<uint8_t>(uint64_t, size_t)>& read) {
  const auto boot = read(0, 512);
  const uint64_t sector = Load<uint16_t>(&boot[11]);
  const uint64_t cluster = boot[13] * sector;
  const uint64_t reserved = Load<uint16_t>(&boot[14]), fats = boot[16];
  const uint64_t root_entries = Load<uint16_t>(&boot[17]);
  const uint64_t small = Load<uint16_t>(&boot[22]);
  const uint64_t length = small != 0 ? small : Load<uint32_t>(&boot[36]);
  const uint64_t few = Load<uint16_t>(&boot[19]);
  const uint64_t sectors = few != 0 ? few : Load<uint32_t>(&boot[32]);
  const uint64_t tables_end = (reserved + fats * length) * sector;
  // A medium may have been cut short; a boot sector that ends before its tables do is none.
  if (sector == 0 || cluster == 0 || sectors * sector < tables_end || tables_end > size) return std::nullopt;
  const bool is_fat32 = small == 0;
  FatName name;
  const size_t extension = is_fat32 ? 66 : 38;
  name.has_serial = is_fat32 || boot[extension] == 0x28 || boot[extension] == 0x29;
  name.serial = Load<uint32_t>(&boot[extension + 1]);
  if (!is_fat32) {
    FindLabel(read(tables_end, root_entries * kEntryBytes), &name.label);
    return name;
  }
  uint32_t number = Load<uint32_t>(&boot[44]);
  for (int looked = 0; looked < kMaxClusters && number >= 2 && number < 0x0ffffff0; looked++) {
    if (FindLabel(read(tables_end + (number - 2) * cluster, cluster), &name.label) == Search::kEnd) break;
    number = Load<uint32_t>(read(reserved * sector + number * uint64_t{4}, 4).data()) & 0x0fffffff;
  }
  return name;
}

}  // namespace blk
