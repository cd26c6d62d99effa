#include "core/label/content_identity.h"
// Over 300 lines: one small function for each format, which share what is above them.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/base/byte_order.h"
#include "core/label/content_probe.h"
#include "core/label/fat_label.h"
#include "core/label/mbr.h"

namespace blk {
namespace {

constexpr uint64_t kKiB = 1024;
using Identity = std::optional<ContentIdentity>;

// A part of the medium, read piece by piece. What it has not reads as zeros,
// which mean nothing anywhere below. The first error of the medium is kept.
class Part {
 public:
  Part(TableSource& source, uint64_t begin, uint64_t size) : source_(source), begin_(begin), size_(size) {}

  uint64_t size() const { return size_; }
  const Status& status() const { return status_; }

  std::vector<uint8_t> Bytes(uint64_t at, size_t count) {
    std::vector<uint8_t> bytes(count);
    if (at >= size_) return bytes;
    const size_t there = static_cast<size_t>(std::min<uint64_t>(count, size_ - at));
    const Status status = source_.Read(begin_ + at, bytes.data(), there);
    if (!status.ok() && status_.ok()) status_ = status;
    return bytes;
  }

 private:
  TableSource& source_;
  const uint64_t begin_;
  const uint64_t size_;
  Status status_;
};

bool IsZero(const uint8_t* bytes, size_t size) {
  return std::all_of(bytes, bytes + size, [](uint8_t byte) { return byte == 0; });
}

// In groups of 4, 2, 2, 2 and 6 bytes, as they lie there; empty for all zeros.
std::string Uuid(const uint8_t* bytes) {
  if (IsZero(bytes, 16)) return {};
  std::string text;
  for (int i = 0; i < 16; i++) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", bytes[i]);
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits;
  }
  return text;
}

// Up to the first NUL, without the spaces behind it.
std::string Text(const uint8_t* bytes, size_t size) {
  const auto* end = std::find(bytes, bytes + size, uint8_t{0});
  std::string text(bytes, end);
  text.erase(text.find_last_not_of(" \t\n\r") + 1);
  return text;
}

std::string Utf16Text(const uint8_t* bytes, size_t units, ByteOrder order) {
  std::u16string text;
  for (size_t i = 0; i < units; i++) {
    const auto unit = static_cast<char16_t>(Load<uint16_t>(bytes + 2 * i, order));
    if (unit == 0) break;
    text += unit;
  }
  std::string utf8 = ToUtf8(text);
  utf8.erase(utf8.find_last_not_of(' ') + 1);
  return utf8;
}

std::string SerialOf(uint32_t serial) {
  char text[10];
  std::snprintf(text, sizeof(text), "%04X-%04X", serial >> 16, serial & 0xffff);
  return text;
}

// ---- one function a format; `type` is what ProbeContent() found

Identity Ext(Part& part, const std::string& type) {
  const auto super = part.Bytes(kKiB, kKiB);
  return ContentIdentity{type, Uuid(&super[104]), Text(&super[120], 16)};
}

Identity Xfs(Part& part, const std::string& type) {
  const auto super = part.Bytes(0, 512);
  const auto number = [&](size_t at) { return Load<uint32_t>(&super[at], ByteOrder::kBig); };
  const auto is_size = [](uint64_t size, uint8_t shift, uint64_t least, uint64_t most) {
    return size >= least && size <= most && shift < 32 && size == uint64_t{1} << shift;
  };
  const auto inode_size = Load<uint16_t>(&super[104], ByteOrder::kBig);
  const bool sane = is_size(Load<uint16_t>(&super[102], ByteOrder::kBig), super[121], 512, 32 * kKiB) &&
                    is_size(number(4), super[120], 512, 64 * kKiB) && is_size(inode_size, super[122], 256, 2 * kKiB) &&
                    number(88) != 0 && super[120] >= super[122] && super[120] - super[122] == super[123];
  if (!sane) return std::nullopt;
  return ContentIdentity{type, Uuid(&super[32]), Text(&super[108], 12)};
}

Identity Btrfs(Part& part, const std::string& type) {
  const auto super = part.Bytes(64 * kKiB, 4 * kKiB);
  return ContentIdentity{type, Uuid(&super[32]), Text(&super[299], 256)};
}

Identity Swap(Part& part, const std::string& type) {
  const auto header = part.Bytes(kKiB, 512);
  // Of the second version, in either byte order; the first one has no name.
  for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
    if (Load<uint32_t>(&header[0], order) != 1 || Load<uint32_t>(&header[4], order) == 0) continue;
    const bool named = IsZero(&header[172], 8);
    return ContentIdentity{type, named ? Uuid(&header[12]) : "", named ? Text(&header[28], 16) : ""};
  }
  return std::nullopt;
}

Identity Luks(Part& part, const std::string& type) {
  const auto header = part.Bytes(0, 512);
  const auto version = Load<uint16_t>(&header[6], ByteOrder::kBig);
  // Of another version only the beginning is known.
  if (version != 1 && version != 2) return ContentIdentity{type, "", ""};
  return ContentIdentity{type, Text(&header[168], 40), version == 2 ? Text(&header[24], 48) : ""};
}

Identity Ntfs(Part& part, const std::string& type) {
  const auto boot = part.Bytes(0, 512);
  const uint64_t sector = Load<uint16_t>(&boot[11]);
  const uint64_t per_cluster = boot[13] <= 128 ? boot[13] : boot[13] >= 240 ? uint64_t{1} << (256 - boot[13]) : 0;
  const uint64_t cluster = sector * per_cluster;
  const auto per_record = static_cast<int8_t>(boot[64]);
  const uint64_t record = per_record > 0                       ? static_cast<uint64_t>(per_record) * cluster
                          : per_record > -32 && per_record < 0 ? uint64_t{1} << -per_record
                                                               : 0;
  const uint64_t table = Load<uint64_t>(&boot[48]), mirror = Load<uint64_t>(&boot[56]);
  const uint64_t clusters = per_cluster == 0 ? 0 : Load<uint64_t>(&boot[40]) / per_cluster;
  // Where a FAT has its sizes there is nothing.
  const bool empty = IsZero(&boot[14], 7) && IsZero(&boot[22], 2) && IsZero(&boot[32], 4);
  const bool sane = empty && sector >= 256 && sector <= 4096 && (sector & (sector - 1)) == 0 && cluster != 0 &&
                    cluster <= 2048 * kKiB && record >= 256 && record <= 64 * kKiB && table <= clusters &&
                    mirror <= clusters && table < part.size() / cluster;
  if (!sane) return std::nullopt;
  char serial[17];
  std::snprintf(serial, sizeof(serial), "%016llX", static_cast<unsigned long long>(Load<uint64_t>(&boot[72])));
  ContentIdentity identity{type, serial, ""};
  if (std::memcmp(part.Bytes(table * cluster, 4).data(), "FILE", 4) != 0) return std::nullopt;
  // The volume's own record is the fourth of the file table; its name is an
  // attribute of it.
  constexpr uint32_t kVolumeName = 0x60, kEnd = 0xffffffff;
  const auto volume = part.Bytes(table * cluster + 3 * record, record);
  if (std::memcmp(volume.data(), "FILE", 4) != 0) return std::nullopt;
  for (size_t at = Load<uint16_t>(&volume[20]); at + 24 <= volume.size();) {
    const auto kind = Load<uint32_t>(&volume[at]);
    const size_t length = Load<uint32_t>(&volume[at + 4]);
    if (kind == kEnd || length == 0 || length > volume.size() - at) break;
    if (kind == kVolumeName) {
      const size_t bytes = Load<uint32_t>(&volume[at + 16]);
      const size_t from = Load<uint16_t>(&volume[at + 20]);
      if (from <= length && bytes <= length - from) {
        identity.label = Utf16Text(&volume[at] + from, bytes / 2, ByteOrder::kLittle);
      }
      break;
    }
    at += length;
  }
  return identity;
}

Identity Exfat(Part& part, const std::string& type) {
  const auto boot = part.Bytes(0, 512);
  const uint8_t sector_shift = boot[108], cluster_shift = boot[109];
  if (sector_shift < 9 || sector_shift > 12 || cluster_shift > 25 - sector_shift) return std::nullopt;
  const uint64_t sector = uint64_t{1} << sector_shift;
  const uint64_t cluster = sector << cluster_shift;
  const uint64_t fat = Load<uint32_t>(&boot[80]) * sector, heap = Load<uint32_t>(&boot[88]) * sector;
  ContentIdentity identity{type, SerialOf(Load<uint32_t>(&boot[100])), ""};
  // The label is an entry of the root directory, which is a chain of clusters;
  // a loop ends with the count.
  constexpr uint8_t kLabelEntry = 0x83;
  constexpr int kMaxEntries = 10000;
  uint32_t number = Load<uint32_t>(&boot[96]);
  for (int looked = 0; number >= 2 && number < 0xfffffff7 && looked < kMaxEntries;) {
    for (uint64_t at = 0; at < cluster && looked < kMaxEntries; looked += static_cast<int>(sector / 32)) {
      const auto entries = part.Bytes(heap + (number - 2) * cluster + at, sector);
      for (uint64_t entry = 0; entry < sector; entry += 32) {
        if (entries[entry] == 0) return identity;
        if (entries[entry] != kLabelEntry) continue;
        identity.label = Utf16Text(&entries[entry + 2], std::min<size_t>(entries[entry + 1], 11), ByteOrder::kLittle);
        return identity;
      }
      at += sector;
    }
    number = Load<uint32_t>(part.Bytes(fat + number * uint64_t{4}, 4).data());
  }
  return identity;
}

Identity Fat(Part& part, const std::string& type) {
  const auto found = FatNames(part.size(), [&](uint64_t at, size_t count) { return part.Bytes(at, count); });
  if (!found) return std::nullopt;
  return ContentIdentity{type, found->has_serial ? SerialOf(found->serial) : "", found->label};
}

Identity Iso(Part& part, const std::string& type) {
  const auto primary = part.Bytes(32 * kKiB, 2 * kKiB);
  if (primary[0] != 1) return std::nullopt;
  ContentIdentity identity{type, "", Text(&primary[40], 32)};
  // When it was changed, or else made, to the hundredth of a second, is as good
  // as a name.
  for (const size_t at : {size_t{830}, size_t{813}}) {
    const std::string_view date(reinterpret_cast<const char*>(&primary[at]), 16);
    if (date.find_first_not_of('0') == std::string_view::npos || primary[at] == 0) continue;
    for (const size_t from : {0, 4, 6, 8, 10, 12, 14}) {
      if (from != 0) identity.uuid += '-';
      identity.uuid += date.substr(from, from == 0 ? 4 : 2);
    }
    break;
  }
  // A second descriptor in Unicode, where there is one, has the name with all
  // its letters.
  for (uint64_t at = 34 * kKiB; at < 64 * kKiB; at += 2 * kKiB) {
    const auto descriptor = part.Bytes(at, 2 * kKiB);
    if (std::memcmp(&descriptor[1], "CD001", 5) != 0 || descriptor[0] == 255) break;
    const std::string_view escape(reinterpret_cast<const char*>(&descriptor[88]), 3);
    if (descriptor[0] != 2 || (escape != "%/@" && escape != "%/C" && escape != "%/E")) continue;
    const std::string label = Utf16Text(&descriptor[40], 16, ByteOrder::kBig);
    // Its 16 letters are the beginning of a longer one.
    const bool shortened = identity.label.size() > 16 && identity.label.compare(0, label.size(), label) == 0;
    if (!label.empty() && !shortened) identity.label = label;
    break;
  }
  return identity;
}

Identity Ufs(Part& part, const std::string& type) {
  constexpr size_t kMagicAt = 1372, kIdAt = 144, kNameAt = 680;
  constexpr uint32_t kUfs2 = 0x19540119;
  for (const uint64_t at : {8 * kKiB, 64 * kKiB, uint64_t{0}, 256 * kKiB}) {
    const auto super = part.Bytes(at, 2 * kKiB);
    for (const ByteOrder order : {ByteOrder::kLittle, ByteOrder::kBig}) {
      const auto magic = Load<uint32_t>(&super[kMagicAt], order);
      if (magic != kUfs2 && magic != 0x00011954) continue;
      ContentIdentity identity{type, "", ""};
      char id[17];
      std::snprintf(id, sizeof(id), "%08x%08x", Load<uint32_t>(&super[kIdAt], order),
                    Load<uint32_t>(&super[kIdAt + 4], order));
      if (!IsZero(&super[kIdAt], 8)) identity.uuid = id;
      if (magic == kUfs2) identity.label = Text(&super[kNameAt], 32);
      return identity;
    }
  }
  return std::nullopt;
}

struct Format {
  std::string_view type;
  Identity (*identify)(Part&, const std::string&);
};
constexpr Format kFormats[] = {
    {"ext2", Ext},    {"ext3", Ext},  {"ext4", Ext},         {"jbd", Ext},   {"xfs", Xfs},
    {"btrfs", Btrfs}, {"swap", Swap}, {"crypto_LUKS", Luks}, {"ntfs", Ntfs}, {"exfat", Exfat},
    {"vfat", Fat},    {"ufs", Ufs},   {"iso9660", Iso},
};

}  // namespace

Result<Identity> IdentifyContent(TableSource& source, uint64_t begin, uint64_t size) {
  auto content = ProbeEnd(source, begin, size);
  if (content.ok() && !content.value()) content = ProbeContent(source, begin, size);
  if (!content.ok()) return content.status();
  if (!content.value()) return Identity();
  const std::string type(content.value()->type);
  const auto* format =
      std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& known) { return known.type == type; });
  if (format == std::end(kFormats)) return Identity(ContentIdentity{type, "", ""});
  Part part(source, begin, std::min(size, source.size() - begin));
  Identity identity = format->identify(part, type);
  if (!part.status().ok()) return part.status();
  return identity;
}

Status IdentifyContents(TableSource& source, PartitionTable& table) {
  for (PartitionEntry& entry : table.partitions) {
    Status status = Status::Ok();
    const bool extended = (table.scheme == Scheme::kMbr || table.scheme == Scheme::kEbr) && IsExtended(entry.type);
    if (entry.table) {
      status = IdentifyContents(source, *entry.table);
    } else if (entry.usable && !extended) {
      auto content = IdentifyContent(source, entry.start, entry.size);
      if (!content.ok()) return content.status();
      entry.content = content.Take();
    }
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

}  // namespace blk
