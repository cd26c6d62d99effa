#include "core/label/apple_map.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/label/disk_label.h"

namespace blk {
namespace {

using Block = std::array<uint8_t, kDevBsize>;  // what is used of a block of any size
using MaybeTable = std::optional<PartitionTable>;

constexpr ByteOrder kBig = ByteOrder::kBig;
constexpr uint16_t kDescriptor = 0x4552;  // 'ER', of block 0
constexpr uint16_t kEntry = 0x504d;       // 'PM'
constexpr uint16_t kOldEntry = 0x5453;    // 'TS'
constexpr size_t kTextBytes = 32;

bool IsEntry(const Block& block) {
  const uint16_t signature = Load<uint16_t>(block.data(), kBig);
  return signature == kEntry || signature == kOldEntry;
}

// Block `number`, or false where the medium ends before it.
Result<bool> ReadBlock(TableSource& source, uint64_t block_size, uint64_t number, Block* block) {
  if (!source.Holds(number * block_size, block->size())) return false;
  const Status status = source.Read(number * block_size, block->data(), block->size());
  if (!status.ok()) return status;
  return true;
}

// Up to the first NUL, a character a byte.
template <typename Text>
Text TextAt(const Block& block, size_t at) {
  const uint8_t* begin = &block[at];
  return Text(begin, std::find(begin, begin + kTextBytes, uint8_t{0}));
}

PartitionEntry EntryOf(const Block& block, uint32_t index, uint64_t block_size) {
  PartitionEntry entry;
  entry.name = NumberedName('p', index + 1);
  entry.index = index;
  entry.start = Load<uint32_t>(&block[8], kBig) * block_size;
  entry.size = Load<uint32_t>(&block[12], kBig) * block_size;
  entry.label = TextAt<std::u16string>(block, 16);
  entry.type_text = TextAt<std::string>(block, 48);
  return entry;
}

// The map in blocks of `block_size` bytes, if block 1 is an entry.
Result<MaybeTable> MapIn(TableSource& source, uint64_t block_size) {
  PartitionTable table;
  table.scheme = Scheme::kApm;
  table.position = block_size;
  table.sector_size = block_size;
  uint64_t count = 1;
  for (uint32_t i = 0; i < count; i++) {
    Block block;
    const auto there = ReadBlock(source, block_size, uint64_t{i} + 1, &block);
    if (!there.ok()) return there.status();
    if (!there.value() || !IsEntry(block)) {
      if (i == 0) return MaybeTable();
      table.verdicts.push_back({Verdict::Kind::kCutShort});
      break;
    }
    // Each says how many there are; the first is believed.
    const uint32_t claimed = Load<uint32_t>(&block[4], kBig);
    if (i == 0) count = std::clamp<uint32_t>(claimed, 1, kMaxMapEntries);
    if (i == 0 && claimed > kMaxMapEntries)
      table.verdicts.push_back({Verdict::Kind::kCount, Verdict::kNoEntry, claimed});
    table.partitions.push_back(EntryOf(block, i, block_size));
  }
  JudgeRanges(table, {0, source.size(), ""}, source.size());
  return MaybeTable(std::move(table));
}

}  // namespace

Result<MaybeTable> ReadAppleMap(TableSource& source) {
  Block first;
  const auto there = ReadBlock(source, kDevBsize, 0, &first);
  if (!there.ok()) return there.status();
  if (!there.value() || Load<uint16_t>(first.data(), kBig) != kDescriptor) return MaybeTable();
  // Disks made for discs name 2048, and have their map in blocks of 512 all the same.
  const uint64_t block_size = Load<uint16_t>(&first[2], kBig);
  if (IsSectorSize(block_size)) {
    auto map = MapIn(source, block_size);
    if (!map.ok() || map.value() || block_size == kDevBsize) return map;
  }
  return MapIn(source, kDevBsize);
}

}  // namespace blk
