#include "core/label/write_table.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/label/gpt.h"
#include "core/label/mbr.h"
#include "core/label/read_table.h"

namespace blk {
namespace {

// The medium as it will be when the plan so far has been carried out: two writes of one sector must know of each other.
class Planned final : public TableSource {
 public:
  Planned(TableSource& medium, const TablePlan& plan, const std::vector<TableWrite>& rest)
      : medium_(medium), plan_(plan), rest_(rest) {}

  uint64_t size() const override { return medium_.size(); }
  uint64_t sector_size() const override { return medium_.sector_size(); }
  Status Read(uint64_t position, uint8_t* data, size_t size) override {
    const Status status = medium_.Read(position, data, size);
    if (!status.ok()) return status;
    const auto apply = [&](const TableWrite& write) {
      const uint64_t from = std::max(position, write.position);
      const uint64_t to = std::min(position + size, write.position + write.bytes.size());
      if (from >= to) return;
      std::copy_n(write.bytes.begin() + static_cast<ptrdiff_t>(from - write.position), to - from,
                  data + (from - position));
    };
    for (const auto& step : plan_) std::for_each(step.begin(), step.end(), apply);
    std::for_each(rest_.begin(), rest_.end(), apply);
    return status;
  }

 private:
  TableSource& medium_;
  const TablePlan& plan_;
  const std::vector<TableWrite>& rest_;
};

// Zeros `size` bytes at `position`, keeping the rest of their sector.
Status AddErasure(TableSource& source, uint64_t position, size_t size, std::vector<TableWrite>& step) {
  auto write = ReadForWrite(source, AlignDown(position, kDevBsize), kDevBsize);
  if (!write.ok()) return write.status();
  std::fill_n(write.value().bytes.begin() + static_cast<ptrdiff_t>(position % kDevBsize), size, uint8_t{0});
  step.push_back(write.Take());
  return Status::Ok();
}

bool IsInside(const PartitionTable& table, uint64_t position) {
  return std::any_of(table.partitions.begin(), table.partitions.end(),
                     [&](const PartitionEntry& entry) { return entry.start <= position && position < entry.end(); });
}

// The headers of a GPT that was there; one that is being written is there already and stays.
Status EraseGpt(TableSource& source, const PartitionTable& table, std::vector<TableWrite>& step) {
  for (const uint64_t sector_size : GptSectorSizes(source)) {
    const uint64_t sectors = source.size() / sector_size;
    if (sectors < 3 || (table.scheme == Scheme::kGpt && sector_size == table.sector_size)) continue;
    for (const uint64_t position : {sector_size, (sectors - 1) * sector_size}) {
      uint8_t signature[8];
      Status status = source.Read(position, signature, sizeof(signature));
      if (!status.ok()) return status;
      // Nothing else begins like that; but it may be an image that somebody keeps in a partition. A label's partitions
      // often lie over the start of the disk, where the header would be read before the label.
      const bool kept = (position != sector_size || table.scheme != Scheme::kBsd) && IsInside(table, position);
      if (Load<uint64_t>(signature) != kGptSignature || kept) continue;
      status = AddErasure(source, position, sizeof(signature), step);
      if (!status.ok()) return status;
    }
  }
  return Status::Ok();
}

// A label of the whole disk that was there; the one that is being written stays. A partition of an MBR may begin with
// bytes that look like one, a partition of a label often lies over the label itself.
Status EraseLabels(TableSource& source, const PartitionTable& table, std::vector<TableWrite>& step) {
  const bool is_label = table.scheme == Scheme::kBsd;
  for (const uint64_t position : kBareLabelPlaces) {
    uint8_t bytes[kLabelHeaderBytes];
    const bool same_sector = AlignDown(position, kDevBsize) == AlignDown(table.position, kDevBsize);
    const bool own = is_label && same_sector && position >= table.position;
    if (own || (!is_label && IsInside(table, position)) || !source.Holds(position, sizeof(bytes))) continue;
    Status status = source.Read(position, bytes, sizeof(bytes));
    if (!status.ok()) return status;
    if (!HasLabelMagic(bytes, sizeof(bytes))) continue;
    status = AddErasure(source, position, sizeof(uint32_t), step);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

// The entries and the signature of an MBR that was there: libblkid takes one without entries for a table. Its boot code
// stays.
Status EraseMbr(TableSource& source, std::vector<TableWrite>& step) {
  MbrImage sector0;
  if (!source.Holds(0, sector0.size())) return Status::Ok();
  const Status status = source.Read(0, sector0.data(), sector0.size());
  if (!status.ok()) return status;
  if (!IsPartitionSector(sector0)) return Status::Ok();
  return AddErasure(source, kMbrEntriesAt, kMbrBytes - kMbrEntriesAt, step);
}

// Whether `table` is to take the place of `there`, and not of another scheme, or of the same elsewhere.
bool IsChangeOf(const PartitionTable& table, const PartitionTable& there) {
  if (table.scheme != there.scheme) return false;
  if (table.scheme == Scheme::kBsd) return table.position == there.position;
  return table.sector_size == there.sector_size;
}

// What an undivided medium was known by, of whatever the table leaves of that; `source` is the medium with the table on
// it. What one signature hid may have another.
Status EraseSignatures(TableSource& source, const PartitionTable& table, std::vector<TableWrite>& step) {
  constexpr int kMostRounds = 16;
  // A label in a boot block lies among bytes of a file system's.
  const bool is_label = table.scheme == Scheme::kBsd;
  const ByteRange own = is_label ? ByteRange{table.position, table.position + kLabelHeaderBytes} : ByteRange{};
  for (int round = 0; round < kMostRounds; round++) {
    const auto ranges = SignaturesBeside(source, table);
    if (!ranges.ok()) return ranges.status();
    if (ranges.value().empty()) break;
    for (const ByteRange& range : ranges.value()) {
      for (const ByteRange& part : {ByteRange{range.begin, std::min(range.end, own.begin)},
                                    ByteRange{std::max(range.begin, own.end), range.end}}) {
        if (part.begin >= part.end) continue;
        const Status status = AddErasure(source, part.begin, part.size(), step);
        if (!status.ok()) return status;
      }
    }
  }
  // A boot sector that is no file system's any more is an MBR by its last two bytes.
  return table.scheme == Scheme::kBsd ? EraseMbr(source, step) : Status::Ok();
}

// A verdict for what lies there and would go, if anything.
Status JudgeLoss(TableSource& medium, const std::optional<PartitionTable>& there, PartitionTable& table,
                 const TablePlan& plan) {
  const auto lost = WhatWouldBeLost(medium, there, table, plan);
  if (!lost.ok()) return lost.status();
  table.verdicts.insert(table.verdicts.end(), lost.value().begin(), lost.value().end());
  return Status::Ok();
}

// Tables in slices that are only read: a slice that is given without a table keeps what lies in it.
void LeaveReadOnly(PartitionTable& table) {
  for (PartitionEntry& entry : table.partitions) {
    if (!entry.table) continue;
    if (IsReadOnly(entry.table->scheme)) {
      entry.table.reset();
    } else {
      LeaveReadOnly(*entry.table);
    }
  }
}

// Fills in the sectors that `table` and the tables in it count in, and judges them: what is written has to be read so.
void SettleSectors(const TableSource& source, PartitionTable& table, uint64_t inherited) {
  if (table.sector_size == 0) table.sector_size = inherited;
  const auto sizes = GptSectorSizes(source);
  bool fits = false;
  switch (table.scheme) {
    case Scheme::kMbr: fits = table.sector_size == source.sector_size(); break;
    case Scheme::kEbr: fits = table.sector_size == inherited; break;
    case Scheme::kGpt: fits = std::find(sizes.begin(), sizes.end(), table.sector_size) != sizes.end(); break;
    // A label says it itself: see UnitOf().
    case Scheme::kBsd: fits = IsSectorSize(table.sector_size) && table.sector_size >= source.sector_size(); break;
    case Scheme::kApm:
    case Scheme::kSun:
    case Scheme::kUnknown: fits = true; break;
  }
  if (!fits) table.verdicts.push_back({Verdict::Kind::kBadSectors, Verdict::kNoEntry, table.sector_size});
  for (PartitionEntry& entry : table.partitions) {
    if (entry.table) SettleSectors(source, *entry.table, table.sector_size);
  }
}

}  // namespace

bool HasVerdict(const PartitionTable& table) {
  return !table.verdicts.empty() ||
         std::any_of(table.partitions.begin(), table.partitions.end(),
                     [](const PartitionEntry& entry) { return entry.table && HasVerdict(*entry.table); });
}

Result<TablePlan> PlanTable(TableSource& medium, PartitionTable& table, Overwrite overwrite) {
  if (IsReadOnly(table.scheme)) return table.verdicts.push_back({Verdict::Kind::kReadOnly}), TablePlan();
  LeaveReadOnly(table);
  SettleSectors(medium, table, medium.sector_size());
  if (table.scheme == Scheme::kBsd && table.position == 0) table.position = kFirstLabelPlace;
  if (HasVerdict(table)) return TablePlan();
  const auto read = ReadPartitionTable(medium);
  if (!read.ok()) return read.status();
  const PartitionTable* there = read.value() && IsChangeOf(table, *read.value()) ? &*read.value() : nullptr;
  TablePlan plan;
  std::vector<TableWrite> erasures;
  Planned source(medium, plan, erasures);
  Status status = Status::Ok();
  if (table.scheme == Scheme::kGpt) {
    status = PlanGpt(source, table, there, plan);
  } else if (table.scheme == Scheme::kMbr) {
    status = PlanMbr(source, table, there, plan);
  } else if (table.scheme == Scheme::kBsd) {
    if (there == nullptr) status = EraseMbr(source, erasures);
    if (status.ok()) status = PlanBsd(source, table, {0, source.size(), 0, ""}, plan);
    // The MBR is believed before a label, so it goes behind it; from the sector of the label in the same write.
    const bool one_write = table.position < kDevBsize;
    if (!one_write && !erasures.empty()) plan.push_back(erasures);
    erasures.clear();
  } else {
    table.verdicts.push_back({Verdict::Kind::kBadNesting});
  }
  if (!status.ok()) return status;
  if (HasVerdict(table)) return TablePlan();
  // What is read already needs nothing to go for it.
  if (there == nullptr) {
    status = EraseGpt(source, table, erasures);
    if (status.ok()) status = EraseLabels(source, table, erasures);
    const bool erases = overwrite == Overwrite::kAllow && !Divides(read.value());
    if (status.ok() && erases) status = EraseSignatures(source, table, erasures);
    if (!status.ok()) return status;
    if (!erasures.empty()) plan.push_back(std::move(erasures));
  }
  if (overwrite == Overwrite::kRefuse) status = JudgeLoss(medium, read.value(), table, plan);
  if (!status.ok()) return status;
  return HasVerdict(table) ? TablePlan() : std::move(plan);
}

}  // namespace blk
