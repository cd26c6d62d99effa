#include "core/label/write_label.h"

#include <algorithm>
#include <utility>

#include "core/label/mbr.h"
#include "core/label/read_table.h"

namespace blk {
namespace {

constexpr Status kNoPlace{EINVAL, Op::kIoctl};
constexpr size_t kAlphaSumAt = 504;  // the last of the 64 words of sector 0: the sum of the others

uint64_t AlphaSum(const std::vector<uint8_t>& sector) {
  uint64_t sum = 0;
  for (size_t at = 0; at < kAlphaSumAt; at += 8) sum += Load<uint64_t>(&sector[at]);
  return sum;
}

bool HasAlphaSum(const std::vector<uint8_t>& sector) {
  const uint64_t sum = Load<uint64_t>(&sector[kAlphaSumAt]);
  // 0 is the sum of an empty sector, which is nobody's boot block.
  return sum != 0 && sum == AlphaSum(sector);
}

// In the order of the slots, logical partitions where their extended one stands.
const PartitionEntry* FirstSlice(const PartitionTable& table) {
  for (const PartitionEntry& entry : table.partitions) {
    if (IsBsdSlice(entry.type) && entry.usable) return &entry;
    const PartitionEntry* inside =
        entry.table && entry.table->scheme == Scheme::kEbr ? FirstSlice(*entry.table) : nullptr;
    if (inside != nullptr) return inside;
  }
  return nullptr;
}

}  // namespace

Result<LabelPlace> PlaceForLabel(TableSource& source) {
  const auto placed = FindLabel(source);
  if (!placed.ok()) return placed.status();
  // Over the one that is there, in its byte order; else where the scheme of the disk has room for one.
  if (placed.value()) {
    const FoundLabel& found = placed.value()->found;
    return LabelPlace{found.position, found.decoded.order, placed.value()->slice};
  }
  const auto table = ReadPartitionTable(source);
  if (!table.ok()) return table.status();
  LabelPlace place{kFirstLabelPlace, ByteOrder::kLittle, {0, source.size(), 0, ""}};
  if (table.value()) {
    // What a GPT has at the place of a label is its own.
    if (table.value()->scheme == Scheme::kGpt) return kNoPlace;
    const PartitionEntry* slice = table.value()->scheme == Scheme::kMbr ? FirstSlice(*table.value()) : nullptr;
    if (slice != nullptr) {
      place.slice = {slice->start, slice->end(), slice->type, slice->name};
      const auto position = PlaceInSlice(place.slice);
      if (!position) return kNoPlace;
      place.position = *position;
    }
  }
  if (!source.Holds(place.position, kDevBsize)) return kNoPlace;
  return place;
}

Result<Slice> SliceForLabel(TableSource& source) {
  auto place = PlaceForLabel(source);
  if (place.ok()) return std::move(place.value().slice);
  if (place.status().err != kNoPlace.err) return place.status();
  return Slice{0, source.size(), 0, ""};
}

Result<TableWrite> EncodeAt(TableSource& source, const LabelPlace& place, DiskLabel label) {
  label.checksum = 0;
  label.checksum = LabelChecksum(label, place.order);
  const EncodedLabel encoded = EncodeLabel(label, place.order);
  const size_t used = kLabelHeaderBytes + label.npartitions * kPartitionBytes;
  const size_t room = kDevBsize - place.position % kDevBsize;
  const bool in_boot_block = place.position < kDevBsize;
  if (used > room) return kNoPlace;

  TableWrite write{AlignDown(place.position, kDevBsize), std::vector<uint8_t>(kDevBsize)};
  if (!source.Holds(write.position, write.bytes.size())) return kNoPlace;
  const Status status = source.Read(write.position, write.bytes.data(), write.bytes.size());
  if (!status.ok()) return status;
  // In a boot block no byte behind the last partition in use: code may begin there. Elsewhere zeros take away what an
  // older, longer label has left.
  const bool alpha = in_boot_block && HasAlphaSum(write.bytes);
  std::copy_n(encoded.begin(), in_boot_block ? used : std::min(room, encoded.size()),
              write.bytes.begin() + static_cast<ptrdiff_t>(place.position % kDevBsize));
  if (alpha) Store<uint64_t>(&write.bytes[kAlphaSumAt], AlphaSum(write.bytes));
  return write;
}

}  // namespace blk
