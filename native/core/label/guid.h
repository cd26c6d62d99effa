// Guid: a GPT identifier in the byte order of the medium. Plain data. Its text is upper case here, as partitioning
// tools print it; any case is read, and two texts of one identifier are equal as Guids only.
#ifndef RUMPBLK_CORE_LABEL_GUID_H_
#define RUMPBLK_CORE_LABEL_GUID_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace blk {

struct Guid {
  std::array<uint8_t, 16> bytes{};  // the first three groups little endian, as UEFI stores them

  // All zeros: in the place of a type, an entry that is not used.
  bool empty() const { return *this == Guid(); }
  bool operator==(const Guid& other) const = default;
};

// -> as in 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B'.
std::string FormatGuid(const Guid& guid);
// Takes that form, in any case. -> nothing for any other text.
std::optional<Guid> ParseGuid(std::string_view text);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_GUID_H_
