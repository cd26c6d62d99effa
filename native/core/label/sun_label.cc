#include "core/label/sun_label.h"

#include <utility>

namespace blk {
namespace {

constexpr ByteOrder kBig = ByteOrder::kBig;
constexpr uint16_t kMagic = 0xdabe;
constexpr uint32_t kPartitions = 8;
constexpr uint8_t kWholeDisk = 5;

constexpr size_t kVersionAt = 128;
constexpr size_t kCountAt = 140;
constexpr size_t kTagsAt = 142;  // two bytes each, and two of flags
constexpr size_t kSanityAt = 188;
constexpr size_t kTracksAt = 436;   // of a cylinder
constexpr size_t kSectorsAt = 438;  // of a track
constexpr size_t kEntriesAt = 444;  // first cylinder, sectors

struct Tags {
  bool believed = false;
  uint32_t count = kPartitions;
};

// The table of contents that newer labels have. One of zeros is believed too, since Linux wrote none.
Tags TagsOf(const MbrImage& label) {
  const uint32_t sanity = Load<uint32_t>(&label[kSanityAt], kBig);
  const uint32_t version = Load<uint32_t>(&label[kVersionAt], kBig);
  const uint16_t count = Load<uint16_t>(&label[kCountAt], kBig);
  if (sanity == 0x600ddeee && version == 1 && count <= kPartitions) return {true, count};
  return {sanity == 0 && version == 0 && count == 0, kPartitions};
}

// XOR of the 16-bit words: 0 over a label that holds its own checksum.
uint16_t SumOf(const uint8_t* label) {
  uint16_t sum = 0;
  for (size_t at = 0; at < kMbrBytes; at += 2) sum = static_cast<uint16_t>(sum ^ Load<uint16_t>(label + at, kBig));
  return sum;
}

}  // namespace

bool HasSunLabel(const uint8_t* sector0) {
  return Load<uint16_t>(sector0 + kSunMagicAt, kBig) == kMagic && SumOf(sector0) == 0;
}

void KeepSunSum(uint8_t* sector0) {
  Store<uint16_t>(sector0 + kSunSumAt, 0);
  Store<uint16_t>(sector0 + kSunSumAt, SumOf(sector0), kBig);
}

PartitionTable SunTable(const TableSource& source, const MbrImage& sector0) {
  PartitionTable table;
  table.scheme = Scheme::kSun;
  const uint64_t cylinder =
      uint64_t{Load<uint16_t>(&sector0[kTracksAt], kBig)} * Load<uint16_t>(&sector0[kSectorsAt], kBig) * kDevBsize;
  const Tags tags = TagsOf(sector0);
  for (uint32_t i = 0; i < tags.count; i++) {
    const uint64_t first = Load<uint32_t>(&sector0[kEntriesAt + 8 * i], kBig);
    if (cylinder != 0 && first > kMaxSafeInteger / cylinder) {
      table.verdicts.push_back({Verdict::Kind::kTooLarge, Verdict::kNoEntry, i});
      continue;
    }
    PartitionEntry entry;
    entry.name = std::string(1, static_cast<char>('a' + i));
    entry.index = i;
    entry.start = first * cylinder;
    entry.size = Load<uint32_t>(&sector0[kEntriesAt + 8 * i + 4], kBig) * uint64_t{kDevBsize};
    if (tags.believed) entry.type = static_cast<uint8_t>(Load<uint16_t>(&sector0[kTagsAt + 4 * i], kBig));
    if (entry.size == 0 || entry.type == kWholeDisk) continue;
    table.partitions.push_back(std::move(entry));
  }
  JudgeRanges(table, {0, source.size(), ""}, source.size());
  return table;
}

}  // namespace blk
