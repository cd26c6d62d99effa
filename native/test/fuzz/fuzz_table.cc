// Fuzzes the readers of tables over a medium that the input describes: a list of sectors to put somewhere. Never
// crashes, reads outside of the medium, or reads without bound; an entry that is usable lies inside the medium and what
// contains it; and a tree without a verdict, written again, reads as the same tree; one without labels changes no byte.
//
// Input: size of the medium in sectors (2 bytes), a flag byte, then records of 2 bytes of sector number and a sector of
// 512 bytes, the last one cut short. Flag 1: checksums of GPT headers and labels are made to hold, so that the fuzzer
// reaches what is behind them.
#include <algorithm>
#include <cstdlib>

#include "core/label/read_table.h"
#include "core/label/write_table.h"
#include "test/support/memory_source.h"

namespace {

using blk::PartitionEntry;
using blk::PartitionTable;

constexpr uint64_t kMaxReads = 40000;
constexpr uint64_t kMaxMoved = 64 << 20;

void Check(bool holds) {
  if (!holds) std::abort();
}

void FixGpt(blk::test::Medium& medium, uint64_t lba) {
  uint8_t* at = &medium.bytes[lba * 512];
  blk::GptHeader header = blk::DecodeGptHeader(at);
  if (header.signature != blk::kGptSignature) return;
  const uint64_t sectors = medium.bytes.size() / 512;
  if (header.array_lba < sectors && header.array_bytes() <= medium.bytes.size() - header.array_lba * 512) {
    header.array_crc = blk::Crc32(&medium.bytes[header.array_lba * 512], header.array_bytes());
  }
  header.header_bytes = blk::kGptHeaderBytes;
  header.own_lba = lba;
  medium.PutHeader(header);
}

void FixLabel(blk::test::Medium& medium, uint64_t position) {
  if (medium.bytes.size() < position + 512) return;
  uint8_t* at = &medium.bytes[position];
  if (!blk::HasLabelMagic(at, 512 - position % 512)) return;
  blk::DecodedLabel decoded = blk::DecodeLabel(at, 512 - position % 512);
  decoded.label.checksum = 0;
  blk::Store<uint16_t>(at + 136, blk::LabelChecksum(decoded.label, decoded.order), decoded.order);
}

void CheckTree(const PartitionTable& table, uint64_t begin, uint64_t end, uint64_t medium_size, int depth) {
  Check(depth <= 3);
  Check(table.partitions.size() <= blk::kMaxGptArray / blk::kGptEntryBytes);
  Check(table.verdicts.size() <= 3 * table.partitions.size() + 16000);
  for (const PartitionEntry& entry : table.partitions) {
    Check(!entry.name.empty() && entry.end() >= entry.start);
    if (entry.usable) Check(entry.start >= begin && entry.end() <= end && entry.end() <= medium_size);
    if (entry.table) CheckTree(*entry.table, entry.start, entry.end(), medium_size, depth + 1);
  }
}

bool Same(const PartitionTable& a, const PartitionTable& b) {
  return a.scheme == b.scheme &&
         std::equal(a.partitions.begin(), a.partitions.end(), b.partitions.begin(), b.partitions.end(),
                    [](const PartitionEntry& x, const PartitionEntry& y) {
                      const bool nested = bool{x.table} == bool{y.table} && (!x.table || Same(*x.table, *y.table));
                      return x.name == y.name && x.start == y.start && x.size == y.size && x.type == y.type &&
                             x.type_guid == y.type_guid && x.uuid == y.uuid && x.label == y.label && nested;
                    });
}

bool HasLabel(const PartitionTable& table) {
  return table.scheme == blk::Scheme::kBsd ||
         std::any_of(table.partitions.begin(), table.partitions.end(),
                     [](const PartitionEntry& entry) { return entry.table && HasLabel(*entry.table); });
}

void CheckRewrite(blk::test::Medium& medium, PartitionTable& table) {
  const auto plan = blk::PlanTable(medium, table);
  Check(plan.ok());
  if (blk::HasVerdict(table)) return Check(plan.value().empty());
  // A label's own writer zeroes what older labels left.
  const bool exact = !HasLabel(table);
  for (const auto& step : plan.value()) {
    for (const blk::TableWrite& write : step) {
      Check(medium.Holds(write.position, write.bytes.size()));
      Check(!exact || std::equal(write.bytes.begin(), write.bytes.end(),
                                 medium.bytes.begin() + static_cast<ptrdiff_t>(write.position)));
      std::copy(write.bytes.begin(), write.bytes.end(), medium.bytes.begin() + static_cast<ptrdiff_t>(write.position));
    }
  }
  const auto again = blk::ReadPartitionTable(medium);
  Check(again.ok() && again.value().has_value() && Same(table, *again.value()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  blk::test::Medium medium(blk::Load<uint16_t>(data) % 1024);
  const bool fix = (data[2] & 1) != 0;
  const size_t sectors = medium.bytes.size() / 512;
  for (size_t at = 3; at + 2 < size && sectors > 0; at += 514) {
    // From the end as well: that is where backups lie.
    const uint16_t number = blk::Load<uint16_t>(data + at);
    const size_t sector = (number & 0x8000) != 0 ? sectors - 1 - (number & 0x7fff) % sectors : number % sectors;
    const size_t count = std::min<size_t>(512, size - at - 2);
    std::copy_n(data + at + 2, count, medium.bytes.begin() + static_cast<ptrdiff_t>(sector * 512));
    if (fix && sector > 0) FixGpt(medium, sector), FixLabel(medium, sector * 512);
    if (fix && sector == 0) FixLabel(medium, 64), FixLabel(medium, 128);
  }
  medium.reads = medium.moved = 0;
  auto table = blk::ReadPartitionTable(medium);
  Check(table.ok() && medium.reads < kMaxReads && medium.moved < kMaxMoved);
  Check(blk::FindLabel(medium).ok());
  Check(blk::PlaceForLabel(medium).ok() || sectors < 1024);
  if (!table.value()) return 0;
  CheckTree(*table.value(), 0, UINT64_MAX, medium.bytes.size(), 1);
  const bool clean = !blk::HasVerdict(*table.value());
  if (clean) CheckRewrite(medium, *table.value());
  return 0;
}
