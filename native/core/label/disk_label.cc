#include "core/label/disk_label.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>

namespace blk {
namespace {

// Names the fields of struct disklabel to `visit` in the order of the medium, up to the partitions. One list for both
// directions and both byte orders, so that what is written is what is read.
template <typename Label, typename Visitor>
void VisitHeader(Label& label, Visitor&& visit) {
  visit(label.magic);
  visit(label.type);
  visit(label.subtype);
  visit(label.type_name);
  visit(label.pack_name);
  visit(label.secsize);
  visit(label.nsectors);
  visit(label.ntracks);
  visit(label.ncylinders);
  visit(label.secpercyl);
  visit(label.secperunit);
  visit(label.sparespertrack);
  visit(label.sparespercyl);
  visit(label.acylinders);
  visit(label.rpm);
  visit(label.interleave);
  visit(label.trackskew);
  visit(label.cylskew);
  visit(label.headswitch);
  visit(label.trkseek);
  visit(label.flags);
  visit(label.drivedata);
  visit(label.spare);
  visit(label.magic2);
  visit(label.checksum);
  visit(label.npartitions);
  visit(label.bbsize);
  visit(label.sbsize);
}

template <typename Entry, typename Visitor>
void VisitPartition(Entry& partition, Visitor&& visit) {
  visit(partition.size);
  visit(partition.offset);
  visit(partition.fsize);
  visit(partition.fstype);
  visit(partition.frag);
  visit(partition.cpg);
}

// Bytes into a label, for what is looked at before, or besides, the label as a whole.
constexpr size_t kMagic2At = 132;
constexpr size_t kCountAt = 138;

// XOR of the 16-bit words: 0 over a label that holds its own checksum.
uint16_t SumOf(const uint8_t* bytes, size_t size, ByteOrder order) {
  uint16_t sum = 0;
  for (size_t i = 0; i + 1 < size; i += 2) sum = static_cast<uint16_t>(sum ^ Load<uint16_t>(bytes + i, order));
  return sum;
}

template <size_t N>
std::array<char, N> Name(const char* text) {
  std::array<char, N> name{};
  std::memcpy(name.data(), text, std::min(N, std::strlen(text)));
  return name;
}

}  // namespace

uint32_t SaturatedSectors(uint64_t bytes) {
  return static_cast<uint32_t>(std::min<uint64_t>(bytes >> kDevBshift, std::numeric_limits<uint32_t>::max()));
}

DiskLabel DefaultLabel(uint64_t device_size, uint32_t part) {
  assert(part < kMaxPartitions);
  const uint32_t sectors = SaturatedSectors(device_size);
  DiskLabel label;
  label.type = kDiskTypeRumpd;
  label.type_name = Name<16>("rumpd");
  label.pack_name = Name<16>("fictitious");
  label.secsize = kDevBsize;
  // One cylinder of one track: drivers of old divide by these numbers.
  label.nsectors = sectors;
  label.ntracks = 1;
  label.ncylinders = 1;
  label.secpercyl = sectors;
  label.secperunit = sectors;
  label.rpm = 11;
  label.interleave = 1;
  label.npartitions = static_cast<uint16_t>(part + 1);
  label.partitions[part].size = sectors;
  label.checksum = LabelChecksum(label);
  return label;
}

EncodedLabel EncodeLabel(const DiskLabel& label, ByteOrder order) {
  EncodedLabel out{};
  VisitHeader(label, FieldStorer(out.data(), order));
  for (size_t i = 0; i < label.partitions.size(); i++) {
    VisitPartition(label.partitions[i], FieldStorer(&out[kLabelHeaderBytes + i * kPartitionBytes], order));
  }
  return out;
}

uint16_t LabelChecksum(const DiskLabel& label, ByteOrder order) {
  assert(label.npartitions <= kMaxPartitions);
  const EncodedLabel bytes = EncodeLabel(label, order);
  return SumOf(bytes.data(), kLabelHeaderBytes + label.npartitions * kPartitionBytes, order);
}

bool HasLabelMagic(const uint8_t* bytes, size_t size) {
  if (size < kLabelHeaderBytes) return false;
  const uint32_t magic = Load<uint32_t>(bytes);
  if (magic != Load<uint32_t>(bytes + kMagic2At)) return false;
  return magic == kDiskMagic || Load<uint32_t>(bytes, ByteOrder::kBig) == kDiskMagic;
}

uint16_t CountOf(const uint8_t* bytes) {
  const bool big = Load<uint32_t>(bytes, ByteOrder::kBig) == kDiskMagic;
  return Load<uint16_t>(bytes + kCountAt, big ? ByteOrder::kBig : ByteOrder::kLittle);
}

DecodedLabel DecodeLabel(const uint8_t* bytes, size_t size) {
  using Kind = Verdict::Kind;
  // Zeros behind the end, and room for as many partitions as any port has: they are under the checksum, kept or not.
  std::array<uint8_t, kLabelHeaderBytes + kMaxMaxPartitions * kPartitionBytes> whole{};
  std::copy_n(bytes, std::min(size, whole.size()), whole.begin());

  DecodedLabel decoded;
  if (Load<uint32_t>(whole.data(), ByteOrder::kBig) == kDiskMagic) decoded.order = ByteOrder::kBig;
  DiskLabel& label = decoded.label;
  VisitHeader(label, FieldLoader(whole.data(), decoded.order));
  for (size_t i = 0; i < label.partitions.size(); i++) {
    VisitPartition(label.partitions[i], FieldLoader(&whole[kLabelHeaderBytes + i * kPartitionBytes], decoded.order));
  }
  const uint16_t count = Load<uint16_t>(&whole[kCountAt], decoded.order);
  label.npartitions = std::min<uint16_t>(count, kMaxPartitions);

  Verdicts& verdicts = decoded.verdicts;
  const size_t end = kLabelHeaderBytes + std::min<size_t>(count, kMaxMaxPartitions) * kPartitionBytes;
  const uint16_t residue = SumOf(whole.data(), end, decoded.order);
  if (!HasLabelMagic(bytes, size)) verdicts.push_back({Kind::kMagic});
  if (end > size) verdicts.push_back({Kind::kCutShort});
  if (residue != 0) verdicts.push_back({Kind::kChecksum, Verdict::kNoEntry, residue});
  if (count > kMaxPartitions) verdicts.push_back({Kind::kCount, Verdict::kNoEntry, count});
  if (!IsSectorSize(label.secsize)) verdicts.push_back({Kind::kSectorSize, Verdict::kNoEntry, label.secsize});
  // Here and not at the end: ranges beyond the device are told, but a kernel takes such a label.
  decoded.valid = verdicts.empty();
  for (int i = 0; i < label.npartitions && label.secperunit != 0; i++) {
    const Partition& partition = label.partitions[i];
    const bool beyond = uint64_t{partition.offset} + partition.size > label.secperunit;
    if (beyond && partition.fstype != kFsUnused) verdicts.push_back({Kind::kBeyondDevice, i});
  }
  return decoded;
}

}  // namespace blk
