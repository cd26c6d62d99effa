#include "core/label/foreign_scheme.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace blk {
namespace {

using namespace std::string_view_literals;
using Maybe = std::optional<ForeignScheme>;

constexpr ByteOrder kBig = ByteOrder::kBig;

// `size` bytes at `position`; zeros where the medium has none.
Status ReadPadded(TableSource& source, uint64_t position, uint8_t* data, size_t size) {
  std::fill_n(data, size, uint8_t{0});
  if (position >= source.size()) return Status::Ok();
  return source.Read(position, data, static_cast<size_t>(std::min<uint64_t>(size, source.size() - position)));
}

bool Says(const uint8_t* at, std::string_view text) { return std::memcmp(at, text.data(), text.size()) == 0; }

// The sum of big-endian words, which SGI's and Amiga's blocks have at 0.
uint32_t SumOfWords(const uint8_t* bytes, size_t words) {
  uint32_t sum = 0;
  for (size_t i = 0; i < words; i++) sum += Load<uint32_t>(bytes + 4 * i, kBig);
  return sum;
}

Maybe SgiIn(const MbrImage& sector0) {
  constexpr uint32_t kMagic = 0x0be5a941;
  if (Load<uint32_t>(sector0.data(), kBig) != kMagic || SumOfWords(sector0.data(), sector0.size() / 4) != 0) return {};
  return ForeignScheme{"SGI volume header", {0, 4}, {0, kMbrBytes}};
}

Maybe AixIn(const MbrImage& sector0) {
  if (!Says(sector0.data(), "\xc9\xc2\xd4\xc1")) return {};
  return ForeignScheme{"AIX physical volume", {0, 4}, {0, kMbrBytes}};
}

// Its table is in sector 1; in sector 0 the loader of the machine has its name where a PC's has code.
Maybe Pc98In(const MbrImage& sector0) {
  constexpr size_t kNameAt = 4;
  const bool named = Says(&sector0[kNameAt], "IPL1") || Says(&sector0[kNameAt], "Linux 98");
  if (!named || Load<uint16_t>(&sector0[kMbrSignatureAt]) != kMbrSignature) return {};
  return ForeignScheme{"PC-98 partition table", {kNameAt, kNameAt + 4}, {0, 1024}};
}

constexpr uint8_t kLdmPlaceholder = 0x42;

bool IsPlaceholder(const MbrEntry& entry) { return entry.type == kLdmPlaceholder; }

// Windows' dynamic disks: an MBR with nothing but a placeholder, and a header of their own behind it.
Result<Maybe> LdmIn(TableSource& source, const MbrImage& sector0) {
  constexpr uint64_t kHeaderAt = 6 * 512;
  const auto& entries = DecodeMbr(sector0).entries;
  const bool placed = std::any_of(entries.begin(), entries.end(), IsPlaceholder);
  if (!placed) return Maybe();
  std::array<uint8_t, 8> text;
  const Status status = ReadPadded(source, kHeaderAt, text.data(), text.size());
  if (!status.ok()) return status;
  if (!Says(text.data(), "PRIVHEAD")) return Maybe();
  return Maybe({"LDM (a dynamic disk of Windows)", {kHeaderAt, kHeaderAt + 8}, {0, kHeaderAt + 512}});
}

// Those that a text in the first sectors alone tells.
struct Known {
  std::string_view name;
  uint32_t at;
  std::string_view text;
  ByteRange header;
};
constexpr Known kKnown[] = {
    {"loop label of GNU Parted", 0, "GNU Parted Loopback 0"sv, {0, 512}},
    {"NeXT disk label", 0, "NeXT"sv, {0, 8192}},
    {"NeXT disk label", 0, "dlV2"sv, {0, 8192}},
    {"NeXT disk label", 0, "dlV3"sv, {0, 8192}},
    {"X68000 partition table", 0, "X68SCSI1"sv, {0, 4096}},
    {"Motorola System V/68 label", 248, "MOTOROLA"sv, {0, 1024}},
    {"Ultrix disk label", 16384 - 72, "\x57\x29\x03\0"sv, {16384 - 72, 16384}},
    // Volume labels of mainframes, in EBCDIC: VOL1 twice, LNX1, CMS1; in the third block, or in the second.
    {"DASD volume label", 512, "\xe5\xd6\xd3\xf1\xe5\xd6\xd3\xf1"sv, {512, 1024}},
    {"DASD volume label", 1024, "\xe5\xd6\xd3\xf1\xe5\xd6\xd3\xf1"sv, {1024, 1536}},
    {"DASD volume label", 2048, "\xe5\xd6\xd3\xf1\xe5\xd6\xd3\xf1"sv, {2048, 2560}},
    {"DASD volume label", 4096, "\xe5\xd6\xd3\xf1\xe5\xd6\xd3\xf1"sv, {4096, 4608}},
    {"DASD volume label", 8192, "\xe5\xd6\xd3\xf1\xe5\xd6\xd3\xf1"sv, {8192, 8704}},
    {"DASD volume label", 512, "\xd3\xd5\xe7\xf1"sv, {512, 1024}},
    {"DASD volume label", 1024, "\xd3\xd5\xe7\xf1"sv, {1024, 1536}},
    {"DASD volume label", 8192, "\xd3\xd5\xe7\xf1"sv, {8192, 8704}},
    {"DASD volume label", 512, "\xc3\xd4\xe2\xf1"sv, {512, 1024}},
    {"DASD volume label", 1024, "\xc3\xd4\xe2\xf1"sv, {1024, 1536}},
    {"DASD volume label", 8192, "\xc3\xd4\xe2\xf1"sv, {8192, 8704}},
};
constexpr size_t kHeadBytes = 16384;  // as far as those texts reach

Maybe KnownIn(const std::vector<uint8_t>& head) {
  for (const Known& known : kKnown) {
    if (!Says(&head[known.at], known.text)) continue;
    return ForeignScheme{known.name, {known.at, known.at + known.text.size()}, known.header};
  }
  return {};
}

// A block in one of the first 16 sectors, with its checksum; it says up to which block it and its list reach.
Maybe AmigaIn(const std::vector<uint8_t>& head, uint64_t medium_size) {
  constexpr size_t kBlocks = 16, kBlock = 512, kLastBlockAt = 132;
  for (size_t at = 0; at < kBlocks * kBlock; at += kBlock) {
    if (!Says(&head[at], "RDSK")) continue;
    const uint32_t words = Load<uint32_t>(&head[at + 4], kBig);
    if (words == 0 || words > kBlock / 4 || SumOfWords(&head[at], words) != 0) continue;
    const uint64_t end = (uint64_t{Load<uint32_t>(&head[at + kLastBlockAt], kBig)} + 1) * kBlock;
    return ForeignScheme{
        "Amiga rigid disk block", {at, at + 4}, {at, std::clamp(end, at + kBlock, std::max(medium_size, at + kBlock))}};
  }
  return {};
}

// A root sector has no magic number: one of its four entries has to be in use, have a name of three letters, and lie
// inside the disk, as libblkid and Linux ask.
Maybe AtariIn(const MbrImage& sector0, uint64_t medium_size) {
  constexpr size_t kEntriesAt = 0x1c6, kEntryBytes = 12;
  constexpr uint8_t kInUse = 1;
  const auto is_letter = [](uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  const auto is_digit = [](uint8_t c) { return c >= '0' && c <= '9'; };
  for (size_t at = kEntriesAt; at < kEntriesAt + 4 * kEntryBytes; at += kEntryBytes) {
    const uint8_t* entry = &sector0[at];
    const uint64_t start = Load<uint32_t>(entry + 4, kBig), sectors = Load<uint32_t>(entry + 8, kBig);
    const bool named = std::all_of(entry + 1, entry + 4, [&](uint8_t c) { return is_letter(c) || is_digit(c); });
    const bool inside = start != 0 && sectors != 0 && start + sectors <= medium_size / kDevBsize;
    if ((entry[0] & kInUse) != 0 && named && inside)
      return ForeignScheme{"Atari root sector", {at, at + 4}, {0, kMbrBytes}};
  }
  return {};
}

}  // namespace

Result<Maybe> FindSchemeBeforeMbr(TableSource& source, const MbrImage& sector0) {
  for (const auto find : {SgiIn, AixIn, Pc98In}) {
    if (auto found = find(sector0)) return found;
  }
  return LdmIn(source, sector0);
}

Result<Maybe> FindSchemeWithoutMbr(TableSource& source, const MbrImage& sector0) {
  std::vector<uint8_t> head(kHeadBytes);
  const Status status = ReadPadded(source, 0, head.data(), head.size());
  if (!status.ok()) return status;
  if (auto found = KnownIn(head)) return found;
  if (auto found = AmigaIn(head, source.size())) return found;
  auto label = FindDisklabel64(source, 0);
  if (!label.ok() || label.value()) return label;
  return AtariIn(sector0, source.size());
}

// Behind 512 bytes for boot code, in little endian; with room for 16 partitions of 64 bytes.
Result<Maybe> FindDisklabel64(TableSource& source, uint64_t begin) {
  constexpr uint32_t kMagic = 0xc4464c59;
  constexpr uint64_t kLabelAt = 512, kLabelBytes64 = 2048;
  uint8_t magic[4];
  const Status status = ReadPadded(source, begin + kLabelAt, magic, sizeof(magic));
  if (!status.ok()) return status;
  if (Load<uint32_t>(magic) != kMagic) return Maybe();
  const uint64_t at = begin + kLabelAt;
  return Maybe({"disklabel64", {at, at + sizeof(magic)}, {at, at + kLabelBytes64}});
}

}  // namespace blk
