// DiskLabel: the 4.4BSD disklabel in memory, the default one of a minor, and its form on the medium in either byte
// order. Sizes and offsets of partitions are in sectors. Plain data; the functions keep no state. Model:
// makedefaultlabel, rumpblk.c r1.31 lines 160-194, in sectors (B11) and with a valid checksum (B13); the on-disk layout
// of NetBSD's sys/disklabel.h: 148 bytes and 16 a partition, byte order of the machine that wrote it.
#ifndef RUMPBLK_CORE_LABEL_DISK_LABEL_H_
#define RUMPBLK_CORE_LABEL_DISK_LABEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/byte_order.h"
#include "core/base/units.h"
#include "core/label/verdict.h"

namespace blk {

inline constexpr uint32_t kDiskMagic = 0x82564557;
inline constexpr uint16_t kDiskTypeRumpd = 21;
inline constexpr uint8_t kFsUnused = 0;
// MAXMAXPARTITIONS, as many as a sector has room for: NetBSD's ports have 16 at most, FreeBSD takes up to 20.
inline constexpr size_t kMaxMaxPartitions = 22;
inline constexpr size_t kLabelHeaderBytes = 148;
inline constexpr size_t kPartitionBytes = 16;
inline constexpr size_t kLabelBytes = kLabelHeaderBytes + kMaxMaxPartitions * kPartitionBytes;  // 500

// One entry of a label, as the medium has it: nothing in it is checked. Where OpenBSD packs fsize and frag into one
// byte that stands for no such pair, fsize is 0 and frag that byte.
struct Partition {
  uint64_t size = 0;    // sectors; 32 bits, 48 in OpenBSD's labels
  uint64_t offset = 0;  // sectors, likewise
  uint32_t fsize = 0;   // bytes of a fragment
  uint8_t fstype = 0;   // 0: unused
  uint8_t frag = 0;
  uint16_t cpg = 0;
};

// The fields in the order of the medium, named as in struct disklabel without d_. Nothing in it is checked; functions
// that take one say what they require. The geometry is for old drivers: only secsize, npartitions and the partitions
// say where anything lies.
struct DiskLabel {
  uint32_t magic = kDiskMagic;
  uint16_t type = 0;
  uint16_t subtype = 0;
  std::array<char, 16> type_name{};
  std::array<char, 16> pack_name{};
  uint32_t secsize = 0;  // bytes
  uint32_t nsectors = 0;
  uint32_t ntracks = 0;
  uint32_t ncylinders = 0;
  uint32_t secpercyl = 0;   // 0 is what kernels refuse
  uint64_t secperunit = 0;  // 0: not told, and no partition is beyond it; 32 bits, 48 in OpenBSD's labels
  uint16_t sparespertrack = 0;
  uint16_t sparespercyl = 0;
  uint32_t acylinders = 0;
  uint16_t rpm = 0;
  uint16_t interleave = 0;
  uint16_t trackskew = 0;
  uint16_t cylskew = 0;
  uint32_t headswitch = 0;
  uint32_t trkseek = 0;
  uint32_t flags = 0;
  std::array<uint32_t, 5> drivedata{};
  std::array<uint32_t, 5> spare{};
  uint32_t magic2 = kDiskMagic;
  uint16_t checksum = 0;
  uint16_t npartitions = 0;  // how many of `partitions` count, and are under the checksum
  uint32_t bbsize = 0;       // bytes
  uint32_t sbsize = 0;       // bytes
  std::array<Partition, kMaxMaxPartitions> partitions{};
};

// What a label, or a caller, may call a sector: DEV_BSIZE times a power of two, up to 64 KiB.
inline constexpr bool IsSectorSize(uint64_t bytes) {
  return bytes >= kDevBsize && bytes <= 64 * 1024 && IsPowerOfTwo(bytes);
}

// Whether the label is one of OpenBSD's since it counts in 48 bits, its version 1: that lies in what others have spare,
// so the byte order decides where. From sparespertrack to trkseek such a label has other fields: its DUID, and the
// bounds of what is OpenBSD's; they are kept as they are.
bool IsOpenBsd(const DiskLabel& label, ByteOrder order);
// The 8 bytes that OpenBSD knows the disk by, in hexadecimal. REQUIRES: IsOpenBsd(label, order).
std::string DuidOf(const DiskLabel& label, ByteOrder order);
// The most that a size or an offset of such a label can say.
uint64_t MaxSectors(const DiskLabel& label, ByteOrder order);

// Whether the form that the label has on the medium has bits for all that its used partitions say.
bool IsEncodable(const DiskLabel& label, ByteOrder order);

using EncodedLabel = std::array<uint8_t, kLabelBytes>;

// Whole sectors of 512 bytes; what 32 bits do not hold stops at 2^32 - 1.
uint32_t SaturatedSectors(uint64_t bytes);

// The label of a minor that has none on its medium: one partition, the whole device, at index `part`.
// Units: device_size in bytes; sector counts that do not fit 32 bits saturate.   REQUIRES: part < kMaxPartitions.
DiskLabel DefaultLabel(uint64_t device_size, uint32_t part);

// The label as it lies on the medium, with room for all partitions; its magic numbers and its checksum are written as
// they are. Partitions behind npartitions are encoded too: whoever wants zeros there clears them.
EncodedLabel EncodeLabel(const DiskLabel& label, ByteOrder order = ByteOrder::kLittle);

// XOR of the 16-bit words from the magic to the last used partition, as a machine of that byte order reads them. 0 for
// a label whose checksum is valid; with the checksum field at 0, the value to put there. REQUIRES: label.npartitions <=
// kMaxMaxPartitions.
uint16_t LabelChecksum(const DiskLabel& label, ByteOrder order = ByteOrder::kLittle);

struct DecodedLabel {
  DiskLabel label;  // at most kMaxMaxPartitions partitions, the rest of its count is left out
  ByteOrder order = ByteOrder::kLittle;
  Verdicts verdicts;
  // Whether a kernel takes it: it checks the magic numbers, the count and the checksum, and trusts the ranges.
  bool valid = false;
};

// Whether a label may begin at `bytes`: both magic numbers are there, in one byte order.
bool HasLabelMagic(const uint8_t* bytes, size_t size);
// The partitions that the label which begins at `bytes` claims. REQUIRES: HasLabelMagic(bytes, its size).
uint16_t CountOf(const uint8_t* bytes);
// What the bytes say when taken for a label. Never fails: bytes that are not there read as zeros.
// Verdicts: kMagic · kCutShort · kChecksum · kCount · kSectorSize · kBeyondDevice of the unit that it describes.
DecodedLabel DecodeLabel(const uint8_t* bytes, size_t size);

}  // namespace blk

#endif  // RUMPBLK_CORE_LABEL_DISK_LABEL_H_
