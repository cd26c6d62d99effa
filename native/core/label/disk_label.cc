#include "core/label/disk_label.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>

namespace blk {
namespace {

// Appends little-endian fields in the order of the on-disk structure.
class Writer {
 public:
  explicit Writer(EncodedLabel& out) : out_(out) {}

  template <typename T>
  void Put(T value) {
    for (size_t i = 0; i < sizeof(T); i++) out_[at_++] = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i));
  }
  template <typename T, size_t N>
  void Put(const std::array<T, N>& values) {
    for (const T& value : values) Put(value);
  }
  void Put(const Partition& partition) {
    Put(partition.size);
    Put(partition.offset);
    Put(partition.fsize);
    Put(partition.fstype);
    Put(partition.frag);
    Put(partition.cpg);
  }
  size_t at() const { return at_; }

 private:
  EncodedLabel& out_;
  size_t at_ = 0;
};

uint32_t SaturatedSectors(uint64_t bytes) {
  return static_cast<uint32_t>(std::min<uint64_t>(bytes >> kDevBshift, std::numeric_limits<uint32_t>::max()));
}

template <size_t N>
std::array<char, N> Name(const char* text) {
  std::array<char, N> name{};
  std::memcpy(name.data(), text, std::min(N, std::strlen(text)));
  return name;
}

}  // namespace

DiskLabel DefaultLabel(uint64_t device_size, uint32_t part) {
  assert(part < kMaxPartitions);
  const uint32_t sectors = SaturatedSectors(device_size);
  DiskLabel label;
  label.type = kDiskTypeRumpd;
  label.type_name = Name<16>("rumpd");
  label.pack_name = Name<16>("fictitious");
  label.secsize = kDevBsize;
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

EncodedLabel EncodeLabel(const DiskLabel& label) {
  EncodedLabel out{};
  Writer writer(out);
  writer.Put(label.magic);
  writer.Put(label.type);
  writer.Put(label.subtype);
  writer.Put(label.type_name);
  writer.Put(label.pack_name);
  writer.Put(label.secsize);
  writer.Put(label.nsectors);
  writer.Put(label.ntracks);
  writer.Put(label.ncylinders);
  writer.Put(label.secpercyl);
  writer.Put(label.secperunit);
  writer.Put(label.sparespertrack);
  writer.Put(label.sparespercyl);
  writer.Put(label.acylinders);
  writer.Put(label.rpm);
  writer.Put(label.interleave);
  writer.Put(label.trackskew);
  writer.Put(label.cylskew);
  writer.Put(label.headswitch);
  writer.Put(label.trkseek);
  writer.Put(label.flags);
  writer.Put(label.drivedata);
  writer.Put(label.spare);
  writer.Put(label.magic2);
  writer.Put(label.checksum);
  writer.Put(label.npartitions);
  writer.Put(label.bbsize);
  writer.Put(label.sbsize);
  assert(writer.at() == kLabelHeaderBytes);
  for (const Partition& partition : label.partitions) writer.Put(partition);
  return out;
}

uint16_t LabelChecksum(const DiskLabel& label) {
  assert(label.npartitions <= kMaxPartitions);
  const EncodedLabel bytes = EncodeLabel(label);
  const size_t end = kLabelHeaderBytes + label.npartitions * kPartitionBytes;
  uint16_t sum = 0;
  for (size_t i = 0; i < end; i += 2) sum = static_cast<uint16_t>(sum ^ (bytes[i] | bytes[i + 1] << 8));
  return sum;
}

}  // namespace blk
