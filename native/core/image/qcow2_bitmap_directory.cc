#include "core/image/qcow2_bitmap_directory.h"

#include <unordered_set>
#include <utility>

#include "core/base/byte_order.h"

namespace blk {
namespace {

constexpr size_t kEntryBytes = 24;
constexpr uint32_t kKnownFlags = kBitmapInUse | kBitmapAuto | kBitmapExtraCompatible;
constexpr uint8_t kDirtyTracking = 1;

uint64_t Parts(uint64_t size, uint64_t part) { return size / part + (size % part != 0 ? 1 : 0); }

}  // namespace

bool Qcow2BitmapEntry::known() const {
  return type == kDirtyTracking && (flags & ~kKnownFlags) == 0 && (!extra || (flags & kBitmapExtraCompatible) != 0) &&
         shift >= kLeastBitmapShift && shift <= kMostBitmapShift && !name.empty() && name.size() <= kMostBitmapName &&
         !twice;
}

std::optional<std::vector<Qcow2BitmapEntry>> ParseBitmapDirectory(const std::vector<uint8_t>& bytes, uint32_t count) {
  std::vector<Qcow2BitmapEntry> entries;
  std::unordered_set<std::string> names;
  size_t at = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (bytes.size() - at < kEntryBytes) return std::nullopt;
    const uint8_t* const from = &bytes[at];
    Qcow2BitmapEntry entry;
    entry.at = at;
    entry.table = Load<uint64_t>(from, ByteOrder::kBig);
    entry.table_entries = Load<uint32_t>(from + 8, ByteOrder::kBig);
    entry.flags = Load<uint32_t>(from + kBitmapFlagsField, ByteOrder::kBig);
    entry.type = from[16];
    entry.shift = from[17];
    const uint64_t name = Load<uint16_t>(from + 18, ByteOrder::kBig),
                   extra = Load<uint32_t>(from + 20, ByteOrder::kBig);
    const uint64_t size = AlignUp(kEntryBytes + extra + name, 8);
    if (size > bytes.size() - at) return std::nullopt;
    entry.extra = extra != 0;
    const auto begin = bytes.begin() + static_cast<ptrdiff_t>(at);
    const auto name_begin = begin + static_cast<ptrdiff_t>(kEntryBytes + extra);
    entry.name.assign(name_begin, name_begin + static_cast<ptrdiff_t>(name));
    entry.bytes.assign(begin, begin + static_cast<ptrdiff_t>(size));
    entry.twice = !names.insert(entry.name).second;
    at += static_cast<size_t>(size);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Qcow2BitmapEntry MakeBitmapEntry(const std::string& name, unsigned shift, uint64_t table, uint32_t table_entries) {
  Qcow2BitmapEntry entry;
  entry.table = table;
  entry.table_entries = table_entries;
  entry.flags = kBitmapInUse | kBitmapAuto;
  entry.type = kDirtyTracking;
  entry.shift = static_cast<uint8_t>(shift);
  entry.name = name;
  entry.bytes.resize(static_cast<size_t>(AlignUp(kEntryBytes + name.size(), 8)));
  FieldStorer put(entry.bytes.data(), ByteOrder::kBig);
  put(table), put(table_entries), put(entry.flags), put(entry.type), put(entry.shift);
  put(static_cast<uint16_t>(name.size())), put(uint32_t{0});
  std::copy(name.begin(), name.end(), entry.bytes.begin() + kEntryBytes);
  return entry;
}

Qcow2BitmapSize SizeOfBitmap(const Qcow2Header& header, unsigned shift) {
  Qcow2BitmapSize size;
  size.bytes = Parts(Parts(header.size, uint64_t{1} << shift), 8);
  size.entries = Parts(size.bytes, header.cluster_size());
  size.table_clusters = Parts(size.entries * 8, header.cluster_size());
  return size;
}

}  // namespace blk
