#include "core/label/disk_label.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <limits>
#include <type_traits>

namespace blk {
namespace {

// The lower 32 and the next 16 bits of a number that is wider in memory.
template <typename Number, typename Visitor>
void VisitLow(Number& number, Visitor&& visit) {
  uint32_t low = static_cast<uint32_t>(number);
  visit(low);
  if constexpr (!std::is_const_v<Number>) number = (number & ~uint64_t{UINT32_MAX}) | low;
}
template <typename Number, typename Visitor>
void VisitHigh(Number& number, Visitor&& visit) {
  uint16_t high = static_cast<uint16_t>(number >> 32);
  visit(high);
  if constexpr (!std::is_const_v<Number>) number = (number & UINT32_MAX) | uint64_t{high} << 32;
}

// OpenBSD's byte for a block of 4 KiB times a power of two and its fragments: the exponent in the upper five bits, one
// more than that of the fragments in the lower three.
constexpr uint32_t kSmallestBlock = 4096;
constexpr uint32_t kMaxBlockShift = 19;  // of what 32 bits hold

void UnpackFragments(uint8_t packed, Partition* partition) {
  const uint32_t block_shift = packed >> 3, fragments = packed & 7;
  partition->fsize = 0;
  partition->frag = packed;
  if (fragments == 0 || block_shift > kMaxBlockShift) return;
  partition->frag = static_cast<uint8_t>(1u << (fragments - 1));
  partition->fsize = (kSmallestBlock << block_shift) / partition->frag;
}

// What no such byte stands for becomes 0.
uint8_t PackFragments(const Partition& partition) {
  if (partition.fsize == 0) return partition.frag;
  const uint64_t block = uint64_t{partition.fsize} * partition.frag;
  if (!IsPowerOfTwo(partition.frag) || !IsPowerOfTwo(block) || partition.frag > 64 || block < kSmallestBlock ||
      block > kSmallestBlock << kMaxBlockShift) {
    return 0;
  }
  const int shift = std::countr_zero(block) - std::countr_zero(uint64_t{kSmallestBlock});
  return static_cast<uint8_t>(shift << 3 | (std::countr_zero(partition.frag) + 1));
}

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
  VisitLow(label.secperunit, visit);
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
  VisitLow(partition.size, visit);
  VisitLow(partition.offset, visit);
  visit(partition.fsize);
  visit(partition.fstype);
  visit(partition.frag);
  visit(partition.cpg);
}

// The same 16 bytes as OpenBSD has them: the upper 16 bits of offset and size are where others have fsize, which shares
// a byte with frag.
template <typename Entry, typename Visitor>
void VisitWide(Entry& partition, Visitor&& visit) {
  uint8_t packed = PackFragments(partition);
  VisitLow(partition.size, visit);
  VisitLow(partition.offset, visit);
  VisitHigh(partition.offset, visit);
  VisitHigh(partition.size, visit);
  visit(partition.fstype);
  visit(packed);
  visit(partition.cpg);
  if constexpr (!std::is_const_v<Entry>) UnpackFragments(packed, &partition);
}

// Bytes into a label, for what is looked at before, or besides, the label as a whole.
constexpr size_t kMagic2At = 132;
constexpr size_t kCountAt = 138;
// Of OpenBSD's.
constexpr size_t kDuidAt = 64;
constexpr size_t kDuidBytes = 8;
constexpr size_t kHighSectorsAt = 112;  // upper 16 bits of secperunit

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

bool IsOpenBsd(const DiskLabel& label, ByteOrder order) {
  constexpr uint16_t kVersion = 1;
  const uint32_t word = label.spare[0];
  return static_cast<uint16_t>(order == ByteOrder::kLittle ? word >> 16 : word) == kVersion;
}

std::string DuidOf(const DiskLabel& label, ByteOrder order) {
  const EncodedLabel bytes = EncodeLabel(label, order);
  std::string text;
  for (size_t i = 0; i < kDuidBytes; i++) {
    for (const int shift : {4, 0}) text += "0123456789abcdef"[bytes[kDuidAt + i] >> shift & 15];
  }
  return text;
}

uint64_t MaxSectors(const DiskLabel& label, ByteOrder order) {
  return IsOpenBsd(label, order) ? (uint64_t{1} << 48) - 1 : UINT32_MAX;
}

bool IsEncodable(const DiskLabel& label, ByteOrder order) {
  const uint64_t most = MaxSectors(label, order);
  const bool wide = IsOpenBsd(label, order);
  return label.secperunit <= most &&
         std::all_of(label.partitions.begin(), label.partitions.begin() + label.npartitions, [&](const Partition& p) {
           const bool fragments = !wide || p.fsize == 0 || PackFragments(p) != 0;
           return p.offset <= most && p.size <= most && fragments;
         });
}

EncodedLabel EncodeLabel(const DiskLabel& label, ByteOrder order) {
  EncodedLabel out{};
  VisitHeader(label, FieldStorer(out.data(), order));
  const bool wide = IsOpenBsd(label, order);
  if (wide) Store<uint16_t>(&out[kHighSectorsAt], static_cast<uint16_t>(label.secperunit >> 32), order);
  for (size_t i = 0; i < label.partitions.size(); i++) {
    FieldStorer store(&out[kLabelHeaderBytes + i * kPartitionBytes], order);
    wide ? VisitWide(label.partitions[i], store) : VisitPartition(label.partitions[i], store);
  }
  return out;
}

uint16_t LabelChecksum(const DiskLabel& label, ByteOrder order) {
  assert(label.npartitions <= kMaxMaxPartitions);
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
  EncodedLabel whole{};  // zeros behind the end
  std::copy_n(bytes, std::min(size, whole.size()), whole.begin());

  DecodedLabel decoded;
  if (Load<uint32_t>(whole.data(), ByteOrder::kBig) == kDiskMagic) decoded.order = ByteOrder::kBig;
  DiskLabel& label = decoded.label;
  VisitHeader(label, FieldLoader(whole.data(), decoded.order));
  const bool wide = IsOpenBsd(label, decoded.order);
  if (wide) label.secperunit |= uint64_t{Load<uint16_t>(&whole[kHighSectorsAt], decoded.order)} << 32;
  for (size_t i = 0; i < label.partitions.size(); i++) {
    FieldLoader load(&whole[kLabelHeaderBytes + i * kPartitionBytes], decoded.order);
    wide ? VisitWide(label.partitions[i], load) : VisitPartition(label.partitions[i], load);
  }
  const uint16_t count = Load<uint16_t>(&whole[kCountAt], decoded.order);
  label.npartitions = std::min<uint16_t>(count, kMaxMaxPartitions);

  Verdicts& verdicts = decoded.verdicts;
  const size_t end = kLabelHeaderBytes + std::min<size_t>(count, kMaxMaxPartitions) * kPartitionBytes;
  const uint16_t residue = SumOf(whole.data(), end, decoded.order);
  if (!HasLabelMagic(bytes, size)) verdicts.push_back({Kind::kMagic});
  if (end > size) verdicts.push_back({Kind::kCutShort});
  if (residue != 0) verdicts.push_back({Kind::kChecksum, Verdict::kNoEntry, residue});
  if (count > kMaxMaxPartitions) verdicts.push_back({Kind::kCount, Verdict::kNoEntry, count});
  if (!IsSectorSize(label.secsize)) verdicts.push_back({Kind::kSectorSize, Verdict::kNoEntry, label.secsize});
  // Here and not at the end: ranges beyond the device are told, but a kernel takes such a label.
  decoded.valid = verdicts.empty();
  for (int i = 0; i < label.npartitions && label.secperunit != 0; i++) {
    const Partition& partition = label.partitions[i];
    const bool beyond = partition.offset + partition.size > label.secperunit;
    if (beyond && partition.fstype != kFsUnused) verdicts.push_back({Kind::kBeyondDevice, i});
  }
  return decoded;
}

}  // namespace blk
