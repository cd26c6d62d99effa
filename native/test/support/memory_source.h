// MemorySource: bytes in memory as a medium, which can be made to fail. Medium: the same, with tables to put on it.
#ifndef RUMPBLK_TEST_SUPPORT_MEMORY_SOURCE_H_
#define RUMPBLK_TEST_SUPPORT_MEMORY_SOURCE_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/label/crc32.h"
#include "core/label/disk_label.h"
#include "core/label/ebr.h"
#include "core/label/gpt.h"
#include "core/label/mbr.h"
#include "core/label/read_table.h"
#include "core/label/table_source.h"
#include "test/support/temp_file.h"

namespace blk::test {

class MemorySource : public TableSource {
 public:
  explicit MemorySource(std::vector<uint8_t> content) : bytes(std::move(content)) {}

  uint64_t size() const override { return bytes.size(); }
  Status Read(uint64_t position, uint8_t* data, size_t size) override {
    Must(Holds(position, size), "a read inside the medium");
    reads++;
    moved += size;
    if (fail_at == reads) return {EIO, Op::kPread};
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(position), size, data);
    return Status::Ok();
  }

  std::vector<uint8_t> bytes;
  uint64_t reads = 0;
  uint64_t moved = 0;
  uint64_t fail_at = 0;  // number of the read that fails, from 1
};

class Medium : public MemorySource {
 public:
  explicit Medium(size_t sectors, size_t sector_size = 512)
      : MemorySource(std::vector<uint8_t>(sectors * sector_size)), sector(sector_size) {}

  uint64_t sector_size() const override { return sector; }

  // An entry of the table sector at `lba`, with its signature.
  void PutEntry(uint64_t lba, uint32_t slot, uint8_t type, uint32_t start, uint32_t sectors, uint8_t flag = 0) {
    uint8_t* at = &bytes[lba * sector + kMbrEntriesAt + slot * kMbrEntryBytes];
    at[0] = flag;
    at[4] = type;
    Store<uint32_t>(at + 8, start);
    Store<uint32_t>(at + 12, sectors);
    Store<uint16_t>(&bytes[lba * sector + kMbrSignatureAt], kMbrSignature);
  }

  // A label at `position` with these partitions, its checksum computed.
  void PutLabel(uint64_t position, std::vector<Partition> partitions, ByteOrder order = ByteOrder::kLittle) {
    DiskLabel label = DefaultLabel(bytes.size(), 0);
    label.npartitions = static_cast<uint16_t>(partitions.size());
    std::copy(partitions.begin(), partitions.end(), label.partitions.begin());
    label.checksum = 0;
    label.checksum = LabelChecksum(label, order);
    const EncodedLabel encoded = EncodeLabel(label, order);
    const size_t size = kLabelHeaderBytes + partitions.size() * kPartitionBytes;
    std::copy_n(encoded.begin(), size, bytes.begin() + static_cast<ptrdiff_t>(position));
  }

  // Both headers and arrays of a GPT with these entries, and the protective MBR.
  void PutGpt(const std::vector<GptEntry>& entries) {
    PutEntry(0, 0, kMbrProtective, 1, 0xffffffff);
    const uint64_t last = bytes.size() / sector - 1;
    const uint64_t array_sectors = kGptEntryCount * kGptEntryBytes / sector;
    header.first_usable = 2 + array_sectors;
    header.last_usable = last - array_sectors - 1;
    header.disk_guid.bytes[0] = 0xd1;
    array.assign(kGptEntryCount * kGptEntryBytes, 0);
    for (size_t i = 0; i < entries.size(); i++) EncodeGptEntry(entries[i], &array[i * kGptEntryBytes]);
    PutGptCopy(1, last, 2);
    PutGptCopy(last, 1, last - array_sectors);
  }
  // One header, with its array; from `header` and `array` as they are.
  void PutGptCopy(uint64_t own, uint64_t other, uint64_t array_lba) {
    GptHeader copy = header;
    copy.own_lba = own;
    copy.other_lba = other;
    copy.array_lba = array_lba;
    copy.array_crc = Crc32(array.data(), array.size());
    PutHeader(copy);
    std::copy(array.begin(), array.end(), bytes.begin() + static_cast<ptrdiff_t>(array_lba * sector));
  }
  // A header as it is, its checksum computed.
  void PutHeader(GptHeader copy) {
    uint8_t* at = &bytes[copy.own_lba * sector];
    copy.header_crc = 0;
    EncodeGptHeader(copy, at);
    copy.header_crc = Crc32(at, kGptHeaderBytes);
    EncodeGptHeader(copy, at);
  }

  const size_t sector;
  GptHeader header;
  std::vector<uint8_t> array;
};

inline GptEntry Gpt(uint64_t first, uint64_t last, uint8_t id, std::u16string_view label = u"") {
  GptEntry entry;
  entry.type.bytes.fill(0x11);
  entry.uuid.bytes.fill(id);
  entry.first = first;
  entry.last = last;
  std::copy(label.begin(), label.end(), entry.label.begin());
  return entry;
}

inline std::vector<Verdict::Kind> KindsOf(const Verdicts& verdicts) {
  std::vector<Verdict::Kind> kinds;
  for (const Verdict& verdict : verdicts) kinds.push_back(verdict.kind);
  return kinds;
}

// The table of a medium that has one.
inline PartitionTable Table(TableSource& source) {
  auto table = ReadPartitionTable(source);
  Must(table.ok() && table.value().has_value(), "a table on the medium");
  return std::move(*table.value());
}
inline bool HasTable(TableSource& source) { return ReadPartitionTable(source).value().has_value(); }
// As in "s1 s2(s2a s2b)".
inline std::string Names(const PartitionTable& table) {
  std::string names;
  for (const PartitionEntry& entry : table.partitions) {
    names += (names.empty() ? "" : " ") + entry.name;
    if (entry.table) names += "(" + Names(*entry.table) + ")";
  }
  return names;
}
inline const PartitionEntry& Entry(const PartitionTable& table, const char* name) {
  const auto found = FindPartition(table, name);
  Must(found.has_value(), name);
  return *found->entry;
}

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_MEMORY_SOURCE_H_
