#include "core/label/read_table.h"

#include <array>
#include <memory>
#include <utility>

#include "core/label/apple_map.h"
#include "core/label/foreign_scheme.h"
#include "core/label/gpt.h"
#include "core/label/hybrid_mbr.h"
#include "core/label/mbr_table.h"
#include "core/label/sun_label.h"

namespace blk {
namespace {

using MaybeTable = std::optional<PartitionTable>;

Slice WholeDisk(const TableSource& source) { return {0, source.size(), 0, ""}; }

// A scheme that is recognised, as a table without partitions.
PartitionTable ToTable(const ForeignScheme& scheme) {
  PartitionTable table;
  table.scheme = Scheme::kUnknown;
  table.position = scheme.header.begin;
  table.verdicts.push_back({Verdict::Kind::kUnknownScheme, Verdict::kNoEntry, 0, scheme.name});
  return table;
}

Result<MaybeTable> ToTable(const Result<std::optional<ForeignScheme>>& found) {
  if (!found.ok()) return found.status();
  return found.value() ? MaybeTable(ToTable(*found.value())) : MaybeTable();
}

// Schemes that are known by more than an MBR's two bytes, and so go before it. A label at byte 128 of a Sun disk goes
// before Sun's, as in the kernel that put it there.
Result<MaybeTable> ReadBeforeMbr(TableSource& source, const MbrImage& sector0) {
  if (!HasSunLabel(sector0)) return ToTable(FindSchemeBeforeMbr(source, sector0));
  const auto label = FindBareLabel(source);
  if (!label.ok()) return label.status();
  if (label.value() && label.value()->decoded.valid)
    return MaybeTable(ToTable(*label.value(), WholeDisk(source), source));
  return MaybeTable(SunTable(source, sector0));
}

// Those that are looked for where no MBR and no label divides the medium.
Result<MaybeTable> ReadWithoutMbr(TableSource& source, const MbrImage& sector0) {
  auto map = ReadAppleMap(source);
  return !map.ok() || map.value() ? std::move(map) : ToTable(FindSchemeWithoutMbr(source, sector0));
}

// Calls `visit` for every BSD slice, the logical ones too, until it answers false.
template <typename Visit>
Status ForEachSlice(PartitionTable& table, Visit&& visit, bool* more) {
  for (PartitionEntry& entry : table.partitions) {
    Status status = Status::Ok();
    if (entry.table && entry.table->scheme == Scheme::kEbr) status = ForEachSlice(*entry.table, visit, more);
    if (status.ok() && *more && IsBsdSlice(entry.type) && entry.usable) status = visit(entry, more);
    if (!status.ok() || !*more) return status;
  }
  return Status::Ok();
}

Status AddLabels(TableSource& source, PartitionTable& mbr) {
  bool more = true;
  return ForEachSlice(
      mbr,
      [&](PartitionEntry& entry, bool*) {
        auto found = FindSliceLabel(source, SliceOf(entry, source));
        if (!found.ok()) return found.status();
        if (!found.value()) return Status::Ok();
        entry.table = std::make_unique<PartitionTable>(ToTable(*found.value(), SliceOf(entry, source), source));
        return Status::Ok();
      },
      &more);
}

// DragonFly's labels in slices of its own type, and in those that it shares with FreeBSD.
Status AddForeignLabels(TableSource& source, PartitionTable& mbr) {
  constexpr uint8_t kDragonFly = 0x6c;
  for (PartitionEntry& entry : mbr.partitions) {
    if (entry.table || !entry.usable || (entry.type != kDragonFly && !IsBsdSlice(entry.type))) continue;
    const auto found = FindDisklabel64(source, entry.start);
    if (!found.ok()) return found.status();
    if (found.value()) entry.table = std::make_unique<PartitionTable>(ToTable(*found.value()));
  }
  return Status::Ok();
}

// A GPT: one that a protective MBR announces, or whose primary header holds where sector 0 says nothing else.
Result<MaybeTable> ReadGpt(TableSource& source, const MbrSector& mbr, bool has_mbr) {
  const bool announced = has_mbr && IsProtective(mbr);
  if (has_mbr && !announced) return MaybeTable();
  MaybeTable broken;
  for (const uint64_t sector_size : GptSectorSizes(source)) {
    auto found = FindGpt(source, sector_size);
    if (!found.ok()) return found.status();
    const bool holds = announced ? found.value().any() : found.value().primary.has_value();
    if (!holds && !(announced && found.value().signature)) continue;
    PartitionTable table = ToTable(found.value(), source.size(), sector_size);
    if (announced) ShowHybrid(table, mbr);
    if (!announced) table.verdicts.push_back({Verdict::Kind::kNoProtectiveMbr});
    if (holds) return MaybeTable(std::move(table));
    if (!broken) broken = std::move(table);
  }
  return broken;
}

}  // namespace

Status ReadSector0(TableSource& source, MbrImage* bytes) {
  bytes->fill(0);
  return source.Holds(0, bytes->size()) ? source.Read(0, bytes->data(), bytes->size()) : Status::Ok();
}

Result<MaybeTable> ReadPartitionTable(TableSource& source) {
  MbrImage sector0;
  Status status = ReadSector0(source, &sector0);
  if (!status.ok()) return status;
  auto before = ReadBeforeMbr(source, sector0);
  if (!before.ok() || before.value()) return before;
  // The GPT first, which an MBR only protects; then the MBR, with the labels in its slices; then a label on the bare
  // disk.
  const bool has_mbr = IsPartitionSector(sector0);
  const MbrSector mbr_sector = DecodeMbr(sector0);
  const bool announced = has_mbr && IsProtective(mbr_sector);
  auto gpt = ReadGpt(source, mbr_sector, has_mbr);
  if (!gpt.ok() || gpt.value()) return gpt;
  MaybeTable mbr;
  if (has_mbr && !announced) {
    auto read = ReadMbr(source, sector0, source.sector_size());
    if (!read.ok()) return read.status();
    mbr = read.Take();
    status = AddLabels(source, *mbr);
    if (status.ok()) status = AddForeignLabels(source, *mbr);
    if (!status.ok()) return status;
    if (!mbr->partitions.empty()) return mbr;
  }
  auto label = FindBareLabel(source);
  if (!label.ok()) return label.status();
  if (!label.value() || !label.value()->decoded.valid) {
    auto other = ReadWithoutMbr(source, sector0);
    if (!other.ok() || other.value()) return other;
  }
  // A protective MBR with nothing behind it is a GPT that lost both its headers.
  if (!label.value() && announced) return MaybeTable(ToTable(GptFound(), source.size(), source.sector_size()));
  if (!label.value()) return mbr;
  return MaybeTable(ToTable(*label.value(), WholeDisk(source), source));
}

Result<std::optional<PlacedLabel>> FindLabel(TableSource& source) {
  using MaybeLabel = std::optional<PlacedLabel>;
  MbrImage sector0;
  Status status = ReadSector0(source, &sector0);
  if (!status.ok()) return status;
  MaybeLabel placed;
  if (IsPartitionSector(sector0)) {
    auto mbr = ReadMbr(source, sector0, source.sector_size());
    if (!mbr.ok()) return mbr.status();
    bool more = true;
    status = ForEachSlice(
        mbr.value(),
        [&](PartitionEntry& entry, bool* go_on) {
          auto found = FindSliceLabel(source, SliceOf(entry, source));
          if (!found.ok()) return found.status();
          if (!found.value() || !found.value()->decoded.valid) return Status::Ok();
          placed = PlacedLabel{std::move(*found.value()), SliceOf(entry, source)};
          *go_on = false;
          return Status::Ok();
        },
        &more);
    if (!status.ok()) return status;
    if (placed) return placed;
  }
  auto bare = FindBareLabel(source);
  if (!bare.ok()) return bare.status();
  if (!bare.value() || !bare.value()->decoded.valid) return MaybeLabel();
  return MaybeLabel(PlacedLabel{std::move(*bare.value()), WholeDisk(source)});
}

}  // namespace blk
