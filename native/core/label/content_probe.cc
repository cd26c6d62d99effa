#include "core/label/content_probe.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/base/units.h"
#include "core/label/byte_order.h"

namespace blk {
namespace {

using namespace std::string_view_literals;

constexpr uint64_t kKiB = 1024;
// As far as the signatures of nearly all reach; zeros stand for what the part has not.
constexpr uint64_t kHeadBytes = 72 * kKiB;

// The first bytes of the part, and where it lies.
struct Head {
  std::vector<uint8_t> bytes;
  uint64_t begin = 0;
  uint64_t size = 0;  // of the part

  bool Says(uint64_t at, std::string_view text) const { return std::memcmp(&bytes[at], text.data(), text.size()) == 0; }
  template <typename T>
  T Number(uint64_t at, ByteOrder order = ByteOrder::kLittle) const {
    return Load<T>(&bytes[at], order);
  }
};

// Offsets from the start of the part.
Content Found(const Head& head, std::string_view type, ByteRange signature, ByteRange header) {
  return {type,
          {head.begin + signature.begin, head.begin + signature.end},
          {head.begin + header.begin, head.begin + header.end}};
}

// Those that a text alone tells. The header is as long as what nobody else may write into.
struct Known {
  std::string_view type;
  uint32_t at;
  std::string_view text;
  ByteRange header;
};
constexpr Known kKnown[] = {
    {"crypto_LUKS", 0, "LUKS\xba\xbe"sv, {0, 4 * kKiB}},
    // The second header of LUKS2 tells of it alone, too; where it is depends on the size of the first.
    {"crypto_LUKS", 16 * kKiB, "SKUL\xba\xbe"sv, {16 * kKiB, 20 * kKiB}},
    {"crypto_LUKS", 32 * kKiB, "SKUL\xba\xbe"sv, {32 * kKiB, 36 * kKiB}},
    {"crypto_LUKS", 64 * kKiB, "SKUL\xba\xbe"sv, {64 * kKiB, 68 * kKiB}},
    {"BitLocker", 3, "-FVE-FS-"sv, {0, 8 * kKiB}},
    {"ntfs", 3, "NTFS    "sv, {0, 8 * kKiB}},
    {"exfat", 3, "EXFAT   "sv, {0, 12 * kKiB}},
    {"ReFS", 3, "ReFS\0\0\0\0"sv, {0, 8 * kKiB}},
    {"xfs", 0, "XFSB"sv, {0, 2 * kKiB}},
    {"squashfs", 0, "hsqs"sv, {0, kKiB}},
    {"cramfs", 0, "\x45\x3d\xcd\x28"sv, {0, kKiB}},
    {"romfs", 0, "-rom1fs-"sv, {0, kKiB}},
    {"apfs", 32, "NXSB"sv, {0, 4 * kKiB}},
    {"LVM2_member", 24, "LVM2 001"sv, {0, 512}},
    {"LVM2_member", 512 + 24, "LVM2 001"sv, {512, 4 * kKiB}},
    {"linux_raid_member", 0, "\xfc\x4e\x2b\xa9\x01\0\0\0"sv, {0, kKiB}},
    {"linux_raid_member", 4 * kKiB, "\xfc\x4e\x2b\xa9\x01\0\0\0"sv, {4 * kKiB, 5 * kKiB}},
    {"f2fs", kKiB, "\x10\x20\xf5\xf2"sv, {kKiB, 4 * kKiB}},
    {"erofs", kKiB, "\xe2\xe1\xf5\xe0"sv, {kKiB, 2 * kKiB}},
    {"hfsplus", kKiB, "H+\0\x04"sv, {kKiB, 2 * kKiB}},
    {"hfsplus", kKiB, "HX\0\x05"sv, {kKiB, 2 * kKiB}},
    {"bcache",
     4 * kKiB + 24,
     "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"sv,
     {4 * kKiB, 5 * kKiB}},
    {"jfs", 32 * kKiB, "JFS1"sv, {32 * kKiB, 36 * kKiB}},
    {"iso9660", 32 * kKiB + 1, "CD001"sv, {32 * kKiB, 34 * kKiB}},
    {"udf", 32 * kKiB + 1, "BEA01"sv, {32 * kKiB, 34 * kKiB}},
    {"btrfs", 64 * kKiB + 64, "_BHRfS_M"sv, {64 * kKiB, 68 * kKiB}},
    {"reiserfs", 64 * kKiB + 52, "ReIsEr"sv, {64 * kKiB, 65 * kKiB}},
};

// ext2 to 4: two bytes, and numbers that a superblock can have. Which of them it is its features tell, as in libblkid.
std::optional<Content> ProbeExt(const Head& head) {
  constexpr uint64_t kSuper = kKiB;
  constexpr uint64_t kMagicAt = kSuper + 56;
  constexpr uint32_t kMaxBlockShift = 6;
  constexpr uint32_t kJournal = 0x4, kJournalDevice = 0x8;
  constexpr uint32_t kExt3Incompatible = 0x2 | 0x4 | 0x10, kExt3ReadOnly = 0x1 | 0x2 | 0x4;
  const bool sane = head.Number<uint32_t>(kSuper) != 0 && head.Number<uint32_t>(kSuper + 4) != 0 &&
                    head.Number<uint32_t>(kSuper + 24) <= kMaxBlockShift;
  if (head.Number<uint16_t>(kMagicAt) != 0xef53 || !sane) return std::nullopt;
  const uint32_t incompatible = head.Number<uint32_t>(kSuper + 96);
  const bool beyond_ext3 =
      (incompatible & ~kExt3Incompatible) != 0 || (head.Number<uint32_t>(kSuper + 100) & ~kExt3ReadOnly) != 0;
  const bool journal = (head.Number<uint32_t>(kSuper + 92) & kJournal) != 0;
  const char* type = (incompatible & kJournalDevice) != 0 ? "jbd" : beyond_ext3 ? "ext4" : journal ? "ext3" : "ext2";
  return Found(head, type, {kMagicAt, kMagicAt + 2}, {kSuper, 2 * kSuper});
}

// A FAT is known by what its boot sector says of it: not all have a name, and boot loaders leave the names of dead
// ones.
std::optional<Content> ProbeFat(const Head& head) {
  const bool jumps = head.bytes[0] == 0xeb || head.bytes[0] == 0xe9;
  const uint64_t sector = head.Number<uint16_t>(11);
  const uint64_t reserved = head.Number<uint16_t>(14);
  const uint8_t cluster = head.bytes[13], fats = head.bytes[16], media = head.bytes[21];
  const uint64_t small = head.Number<uint16_t>(22);
  const uint64_t length = small != 0 ? small : head.Number<uint32_t>(36);
  const bool sane = sector >= kDevBsize && sector <= 4 * kKiB && IsPowerOfTwo(sector) && cluster != 0 &&
                    IsPowerOfTwo(cluster) && reserved != 0 && fats != 0 && fats <= 4 && length != 0 &&
                    (media == 0xf0 || media >= 0xf8);
  if (!jumps || !sane) return std::nullopt;
  // Up to the end of its tables; and the part ends somewhere.
  const uint64_t end = std::min((reserved + fats * length) * sector, std::max(head.size, sector));
  return Found(head, "vfat", {0, 90}, {0, end});
}

// Swap space ends its first page, of whichever size, with its name; the first KiB is not its own.
std::optional<Content> ProbeSwap(const Head& head) {
  for (uint64_t page = 4 * kKiB; page <= 64 * kKiB; page *= 2) {
    const uint64_t at = page - 10;
    if (!head.Says(at, "SWAPSPACE2") && !head.Says(at, "SWAP-SPACE")) continue;
    return Found(head, "swap", {at, page}, {kKiB, page});
  }
  return std::nullopt;
}

// UFS has its superblock at one of four places, in the byte order of its machine.
Result<std::optional<Content>> ProbeUfs(TableSource& source, const Head& head) {
  constexpr uint64_t kMagicAt = 1372;
  for (const uint64_t super : {8 * kKiB, 64 * kKiB, uint64_t{0}, 256 * kKiB}) {
    uint8_t magic[4];
    const uint64_t at = super + kMagicAt;
    if (at + sizeof(magic) > head.size) continue;
    const Status status = source.Read(head.begin + at, magic, sizeof(magic));
    if (!status.ok()) return status;
    for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
      const uint32_t number = Load<uint32_t>(magic, order);
      if (number != 0x00011954 && number != 0x19540119) continue;
      return std::optional(Found(head, "ufs", {at, at + sizeof(magic)}, {super, super + 2 * kKiB}));
    }
  }
  return std::optional<Content>();
}

}  // namespace

Result<std::optional<Content>> ProbeContent(TableSource& source, uint64_t begin, uint64_t size) {
  if (begin > source.size()) return std::optional<Content>();
  Head head{std::vector<uint8_t>(kHeadBytes), begin, std::min(size, source.size() - begin)};
  const size_t there = static_cast<size_t>(std::min<uint64_t>(kHeadBytes, head.size));
  const Status status = there == 0 ? Status::Ok() : source.Read(begin, head.bytes.data(), there);
  if (!status.ok()) return status;
  for (const Known& known : kKnown) {
    if (!head.Says(known.at, known.text)) continue;
    return std::optional(Found(head, known.type, {known.at, known.at + known.text.size()}, known.header));
  }
  for (const auto probe : {ProbeExt, ProbeFat, ProbeSwap}) {
    if (auto content = probe(head)) return content;
  }
  return ProbeUfs(source, head);
}

}  // namespace blk
