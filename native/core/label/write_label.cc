#include "core/label/write_label.h"

#include <algorithm>
#include <utility>

#include "core/label/mbr.h"
#include "core/label/read_table.h"
#include "core/label/sun_label.h"

namespace blk {
namespace {

constexpr Status kNoPlace{EINVAL, Op::kIoctl};
constexpr Status kOccupied{EEXIST, Op::kIoctl};
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

// Bytes of a label with so many partitions.
size_t EndOfPartition(size_t count) { return kLabelHeaderBytes + count * kPartitionBytes; }

// Bytes that the label which lies at `at` takes of its `room`; 0 where none does, or one that cannot be.
size_t LengthOfOld(const uint8_t* at, size_t room) {
  if (!HasLabelMagic(at, room)) return 0;
  const size_t count = CountOf(at);
  return count > kMaxMaxPartitions ? 0 : std::min(EndOfPartition(count), room);
}

bool IsZero(const uint8_t* from, const uint8_t* to) {
  return std::all_of(from, to, [](uint8_t byte) { return byte == 0; });
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
    // What a GPT has at the place of a label is its own; and so is what a scheme has that is not written here.
    if (table.value()->scheme == Scheme::kGpt || IsReadOnly(table.value()->scheme)) return kNoPlace;
    const PartitionEntry* slice = table.value()->scheme == Scheme::kMbr ? FirstSlice(*table.value()) : nullptr;
    if (slice != nullptr) {
      place.slice = SliceOf(*slice, source);
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
  const size_t used = EndOfPartition(label.npartitions);
  const size_t begin = place.position % kDevBsize;
  if (used > kDevBsize - begin || !IsEncodable(label, place.order)) return kNoPlace;

  TableWrite write{AlignDown(place.position, kDevBsize), std::vector<uint8_t>(kDevBsize)};
  if (!source.Holds(write.position, write.bytes.size())) return kNoPlace;
  const Status status = source.Read(write.position, write.bytes.data(), write.bytes.size());
  if (!status.ok()) return status;
  const bool alpha = place.position < kDevBsize && HasAlphaSum(write.bytes);
  const bool sun = place.position < kDevBsize && HasSunLabel(write.bytes.data());
  uint8_t* const at = &write.bytes[begin];
  const size_t was = LengthOfOld(at, kDevBsize - begin);
  if (was != 0 && !IsZero(at + std::min(was, used), at + used)) return kOccupied;
  // Not a byte behind the last partition, old or new: FreeBSD's boot code begins there, and code in a boot block may.
  std::copy_n(encoded.begin(), used, at);
  if (was > used) std::fill(at + used, at + was, uint8_t{0});
  if (alpha) Store<uint64_t>(&write.bytes[kAlphaSumAt], AlphaSum(write.bytes));
  if (sun) KeepSunSum(&write.bytes[0]);
  return write;
}

}  // namespace blk
