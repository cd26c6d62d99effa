#include "core/label/overwrite.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "core/label/apple_map.h"
#include "core/label/bsd_table.h"
#include "core/label/content_probe.h"
#include "core/label/foreign_scheme.h"
#include "core/label/read_table.h"
#include "core/label/sun_label.h"

namespace blk {
namespace {

using Plan = std::vector<std::vector<TableWrite>>;

struct Held {
  Verdict::Kind kind;  // kHoldsScheme or kHoldsContent
  std::string_view name;
  std::vector<ByteRange> signatures;
  ByteRange header;
};

Held HeldScheme(const ForeignScheme& scheme) {
  return {Verdict::Kind::kHoldsScheme, scheme.name, {scheme.signature}, scheme.header};
}

Status AddSchemes(TableSource& source, std::vector<Held>& held) {
  constexpr auto kScheme = Verdict::Kind::kHoldsScheme;
  MbrImage sector0;
  Status status = ReadSector0(source, &sector0);
  if (!status.ok()) return status;
  if (HasSunLabel(sector0)) held.push_back({kScheme, "Sun disk label", {{kSunMagicAt, kMbrBytes}}, {0, kMbrBytes}});
  const auto map = ReadAppleMap(source);
  if (!map.ok()) return map.status();
  if (map.value()) {
    const uint64_t block = map.value()->sector_size;
    // Without its first entry it is no map; without the descriptor nobody looks for one.
    held.push_back({kScheme,
                    "Apple Partition Map",
                    {{0, 2}, {block, block + 2}},
                    {0, block * (map.value()->partitions.size() + 1)}});
  }
  for (const auto find : {FindSchemeBeforeMbr, FindSchemeWithoutMbr}) {
    const auto scheme = find(source, sector0);
    if (!scheme.ok()) return scheme.status();
    if (scheme.value()) held.push_back(HeldScheme(*scheme.value()));
  }
  return Status::Ok();
}

Status AddContent(TableSource& source, uint64_t begin, uint64_t size, std::vector<Held>& held) {
  for (const auto probe : {ProbeContent, ProbeEnd}) {
    const auto content = probe(source, begin, size);
    if (!content.ok()) return content.status();
    if (!content.value()) continue;
    const Content& found = *content.value();
    held.push_back({Verdict::Kind::kHoldsContent, found.type, {found.signature}, found.header});
  }
  return Status::Ok();
}

// Where the table that divides a medium lies itself, as far as something else could lie there too.
ByteRange OwnBytes(const PartitionTable& table) {
  constexpr uint64_t kGptSectors = 34;
  switch (table.scheme) {
    case Scheme::kGpt: return {0, kGptSectors * table.sector_size};
    case Scheme::kBsd: return {table.position, table.position + kLabelHeaderBytes};
    case Scheme::kMbr:
    case Scheme::kEbr: return {kMbrEntriesAt, kMbrBytes};
    case Scheme::kApm:
    case Scheme::kSun:
    case Scheme::kUnknown: break;
  }
  return {};
}

bool Touches(const Plan& plan, const ByteRange& range) {
  return std::any_of(plan.begin(), plan.end(), [&](const std::vector<TableWrite>& step) {
    return std::any_of(step.begin(), step.end(), [&](const TableWrite& write) {
      return range.Overlaps(write.position, write.position + write.bytes.size());
    });
  });
}

// Schemes first, which a file system may lie in.
Result<std::vector<Held>> WhatLiesThere(TableSource& source) {
  std::vector<Held> held;
  Status status = AddSchemes(source, held);
  if (status.ok()) status = AddContent(source, 0, source.size(), held);
  if (!status.ok()) return status;
  return held;
}

// What slices hold that get a label and have none.
Status AddLostInSlices(TableSource& source, const PartitionTable& table, const Plan& plan, Verdicts& lost) {
  for (const PartitionEntry& entry : table.partitions) {
    if (!entry.table) continue;
    Status status = AddLostInSlices(source, *entry.table, plan, lost);
    if (!status.ok() || entry.table->scheme != Scheme::kBsd) return status;
    const auto label = FindSliceLabel(source, SliceOf(entry, source));
    if (!label.ok()) return label.status();
    if (label.value()) continue;
    std::vector<Held> held;
    const auto scheme = FindDisklabel64(source, entry.start);
    if (!scheme.ok()) return scheme.status();
    if (scheme.value()) held.push_back(HeldScheme(*scheme.value()));
    status = AddContent(source, entry.start, entry.size, held);
    if (!status.ok()) return status;
    for (const Held& one : held) {
      if (Touches(plan, one.header)) lost.push_back({one.kind, Verdict::kNoEntry, 0, one.name});
    }
  }
  return Status::Ok();
}

}  // namespace

bool Divides(const std::optional<PartitionTable>& there) {
  if (!there) return false;
  if (there->scheme == Scheme::kMbr) return !there->partitions.empty();
  return there->scheme == Scheme::kBsd || there->scheme == Scheme::kGpt;
}

Result<Verdicts> WhatWouldBeLost(TableSource& source, const std::optional<PartitionTable>& there,
                                 const PartitionTable& fresh, const Plan& plan) {
  const auto held = WhatLiesThere(source);
  if (!held.ok()) return held.status();
  const bool divided = Divides(there);
  const ByteRange own = divided ? OwnBytes(*there) : ByteRange{};
  Verdicts lost;
  for (const Held& one : held.value()) {
    const bool survived = !one.header.Overlaps(own.begin, own.end);
    if (divided && (!survived || !Touches(plan, one.header))) continue;
    lost.push_back({one.kind, Verdict::kNoEntry, 0, one.name});
    break;  // one thing has the medium, whatever its bytes look like besides
  }
  const Status status = AddLostInSlices(source, fresh, plan, lost);
  if (!status.ok()) return status;
  return lost;
}

Result<Verdicts> WhatLabelWouldDestroy(TableSource& source, const TableWrite& write) {
  const auto table = ReadPartitionTable(source);
  if (!table.ok()) return table.status();
  const auto held = WhatLiesThere(source);
  if (!held.ok()) return held.status();
  const bool divided = Divides(table.value());
  Verdicts lost;
  for (const Held& one : held.value()) {
    const bool scheme = one.kind == Verdict::Kind::kHoldsScheme && !divided;
    const bool touched = one.header.Overlaps(write.position, write.position + write.bytes.size());
    const ByteRange own = divided ? OwnBytes(*table.value()) : ByteRange{};
    if (!scheme && (!touched || one.header.Overlaps(own.begin, own.end))) continue;
    lost.push_back({one.kind, Verdict::kNoEntry, 0, one.name});
  }
  return lost;
}

Result<std::vector<ByteRange>> SignaturesBeside(TableSource& source, const PartitionTable& table) {
  std::vector<ByteRange> ranges;
  const auto held = WhatLiesThere(source);
  if (!held.ok()) return held.status();
  const bool begins_at_0 = std::any_of(table.partitions.begin(), table.partitions.end(),
                                       [](const PartitionEntry& entry) { return entry.start == 0; });
  for (const Held& one : held.value()) {
    if (one.kind == Verdict::Kind::kHoldsContent && begins_at_0) continue;
    ranges.insert(ranges.end(), one.signatures.begin(), one.signatures.end());
  }
  return ranges;
}

}  // namespace blk
