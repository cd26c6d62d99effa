#include "core/label/bsd_table.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/label/mbr.h"

namespace blk {
namespace {

constexpr size_t kRawSlice = 2;  // partition c: on FreeBSD the whole slice

// A label has its sector for itself.
bool EndsInside(const Slice& slice, uint64_t position) { return position + kDevBsize <= slice.end; }

// Of the labels at `places` the first valid one, or else the first.
template <typename Places>
Result<std::optional<FoundLabel>> BestOf(TableSource& source, const Places& places) {
  std::optional<FoundLabel> best;
  for (const uint64_t position : places) {
    auto found = LabelAt(source, position);
    if (!found.ok()) return found;
    if (!found.value()) continue;
    if (found.value()->decoded.valid) return found;
    if (!best) best = found.Take();
  }
  return best;
}

// Whose numbers the types are: by the slice, or by what the label says of itself.
BsdFlavor FlavorOf(const DecodedLabel& label, const Slice& slice) {
  if (slice.type == kMbrFreeBsd) return BsdFlavor::kFreeBsd;
  const bool openbsd = slice.type == kMbrOpenBsd || IsOpenBsd(label.label, label.order);
  return openbsd ? BsdFlavor::kOpenBsd : BsdFlavor::kNetBsd;
}

}  // namespace

// It ends with its sector.
Result<std::optional<FoundLabel>> LabelAt(TableSource& source, uint64_t position) {
  using Nothing = std::optional<FoundLabel>;
  if (position >= source.size()) return Nothing();
  std::array<uint8_t, kDevBsize> bytes;
  const uint64_t rest = std::min(source.size() - position, kDevBsize - position % kDevBsize);
  const size_t size = static_cast<size_t>(std::min<uint64_t>(rest, kLabelBytes));
  const Status status = source.Read(position, bytes.data(), size);
  if (!status.ok()) return status;
  if (!HasLabelMagic(bytes.data(), size)) return Nothing();
  return Nothing(FoundLabel{DecodeLabel(bytes.data(), size), position});
}

Result<std::optional<FoundLabel>> FindBareLabel(TableSource& source) { return BestOf(source, kBareLabelPlaces); }

Result<std::optional<FoundLabel>> FindSliceLabel(TableSource& source, const Slice& slice) {
  std::vector<uint64_t> places;
  for (const uint64_t sector_size : {kFirstLabelPlace, source.sector_size()}) {
    if (EndsInside(slice, slice.begin + sector_size)) places.push_back(slice.begin + sector_size);
  }
  return BestOf(source, places);
}

std::optional<uint64_t> PlaceInSlice(const Slice& slice) {
  const uint64_t position = slice.begin + kFirstLabelPlace;
  return EndsInside(slice, position) ? std::optional(position) : std::nullopt;
}

Slice SliceOf(const PartitionEntry& entry, const TableSource& source) {
  constexpr uint64_t kDedicatedSectors = 50000;
  const bool dedicated =
      entry.type == kMbrFreeBsd && entry.start == 0 && entry.size == kDedicatedSectors * source.sector_size();
  return {entry.start, dedicated ? source.size() : entry.end(), entry.type, entry.name};
}

LabelBase BaseOf(const DiskLabel& label, const Slice& slice) {
  const bool relative =
      slice.type == kMbrFreeBsd && label.npartitions > kRawSlice && label.partitions[kRawSlice].size != 0;
  return relative ? LabelBase{slice.begin, label.partitions[kRawSlice].offset} : LabelBase{};
}

Container ContainerOf(const DecodedLabel& decoded, const Slice& slice, const TableSource& source) {
  const DiskLabel& label = decoded.label;
  Container container{slice.begin, slice.end, ""};
  if (!IsOpenBsd(label, decoded.order)) return container;
  // Its bounds in sectors: the upper 16 bits, and the lower 32, in what others have for these.
  const uint64_t sectors = source.size() / UnitOf(label, source);
  const uint64_t first = std::min(uint64_t{label.trackskew} << 32 | label.headswitch, sectors);
  const uint64_t end = std::min(uint64_t{label.cylskew} << 32 | label.trkseek, sectors);
  if (first >= end) return container;
  container.begin = std::min(container.begin, first * UnitOf(label, source));
  container.end = std::max(container.end, end * UnitOf(label, source));
  return container;
}

std::optional<uint64_t> StartOf(const Partition& partition, const LabelBase& base, uint64_t sector_size) {
  const uint64_t most = kMaxSafeInteger / sector_size;
  if (base.first > most || partition.offset > most || partition.size > most) return std::nullopt;
  const uint64_t before = base.first * sector_size;
  const uint64_t start = base.begin + partition.offset * sector_size;
  if (start < before || start - before > kMaxSafeInteger) return std::nullopt;
  return start - before;
}

std::optional<uint64_t> OffsetOf(uint64_t start, const LabelBase& base, uint64_t sector_size) {
  if (base.first > kMaxSafeInteger / sector_size) return std::nullopt;
  const uint64_t from_first = start + base.first * sector_size;
  if (from_first < base.begin) return std::nullopt;
  return (from_first - base.begin) / sector_size;
}

uint64_t UnitOf(const DiskLabel& label, const TableSource& source) {
  return IsSectorSize(label.secsize) ? std::max<uint64_t>(label.secsize, source.sector_size()) : source.sector_size();
}

PartitionTable ToTable(const FoundLabel& found, const Slice& slice, const TableSource& source) {
  const DiskLabel& label = found.decoded.label;
  PartitionTable table;
  table.scheme = Scheme::kBsd;
  table.position = found.position;
  table.sector_size = UnitOf(label, source);
  table.order = found.decoded.order;
  table.flavor = FlavorOf(found.decoded, slice);
  if (IsOpenBsd(label, table.order)) table.duid = DuidOf(label, table.order);
  // What the label says of its own unit is said again below, of the real one.
  std::copy_if(found.decoded.verdicts.begin(), found.decoded.verdicts.end(), std::back_inserter(table.verdicts),
               [](const Verdict& verdict) { return verdict.entry == Verdict::kNoEntry; });
  const LabelBase base = BaseOf(label, slice);
  for (uint32_t i = 0; i < label.npartitions; i++) {
    const Partition& partition = label.partitions[i];
    if (partition.size == 0) continue;
    const auto start = StartOf(partition, base, table.sector_size);
    if (!start) {
      table.verdicts.push_back({Verdict::Kind::kNotCounted, Verdict::kNoEntry, i});
      continue;
    }
    PartitionEntry entry;
    entry.name = slice.name + static_cast<char>('a' + i);
    entry.index = i;
    entry.start = *start;
    entry.size = partition.size * table.sector_size;
    entry.type = partition.fstype;
    table.partitions.push_back(std::move(entry));
  }
  JudgeRanges(table, ContainerOf(found.decoded, slice, source), source.size());
  return table;
}

}  // namespace blk
