// Units of the device and the host: sector size, positions, checked arithmetic, and the table's default sizes.
// No I/O, no state. Every number that has a source names it.
// Model: rumpblk.c r1.31 lines 80-97 and 155; DEV_BSIZE and MAXPHYS of NetBSD's sys/param.h on amd64.
#ifndef RUMPBLK_CORE_BASE_UNITS_H_
#define RUMPBLK_CORE_BASE_UNITS_H_

#include <cstdint>
#include <optional>

namespace blk {

// Sizes of the kernel and the seed under our names, each with its own.
inline constexpr unsigned kDevBshift = 9;                          // DEV_BSHIFT
inline constexpr uint64_t kDevBsize = uint64_t{1} << kDevBshift;   // DEV_BSIZE: bytes of a sector, unit of blkno
inline constexpr uint64_t kMaxPhys = 64 * 1024;                    // MAXPHYS: largest buf of a raw transfer
inline constexpr uint32_t kDefaultMinorCount = 16;                 // RUMPBLK_SIZE
inline constexpr uint64_t kDefaultWindowSize = uint64_t{1} << 20;  // memwinsize
inline constexpr uint64_t kMaxAutoWindowSize = uint64_t{4} << 30;  // largest window that 'auto' chooses
inline constexpr uint32_t kDefaultWindowCount = 16;                // memwincnt
inline constexpr uint32_t kDefaultQueueDepth = 1024;               // N_AIOS of rumpuser
inline constexpr uint32_t kDefaultWorkers = 32;                    // at most
inline constexpr uint32_t kKeptWorkers = 4;                        // that do not end by themselves
inline constexpr uint64_t kDefaultRequestMemory = uint64_t{64} << 20;
inline constexpr uint32_t kBlkfailMax = 10000;               // BLKFAIL_MAX
inline constexpr uint32_t kMaxPartitions = 16;               // MAXPARTITIONS; partition = minor modulo this
inline constexpr uint64_t kSegmentSize = uint64_t{1} << 20;  // longest stretch between two looks at a cancel flag
inline constexpr uint64_t kMaxSafeInteger = (uint64_t{1} << 53) - 1;  // largest size JavaScript can name exactly

// Bytes from the start of the device, and bytes from the start of the medium. Two types without a conversion, so
// that only ToMedium() turns one into the other (B2).
struct DeviceOffset {
  uint64_t value = 0;
};
// From the start of the medium, a device's own offset included. Up to kMaxSafeInteger, so sums of a few do not wrap.
struct MediumOffset {
  uint64_t value = 0;
};
// Bytes [begin, end) of the device.
struct ByteSpan {
  uint64_t begin = 0;
  uint64_t end = 0;

  bool empty() const { return begin >= end; }
};
// Bytes [begin, end) of the medium.
struct MediumSpan {
  MediumOffset begin;
  MediumOffset end;

  bool empty() const { return begin.value >= end.value; }
  // The smallest span that holds both: what lies between two that do not touch is in it. An empty one adds nothing,
  // wherever it lies.
  MediumSpan With(const MediumSpan& other) const {
    if (empty()) return other;
    if (other.empty()) return *this;
    return {begin.value < other.begin.value ? begin : other.begin, end.value > other.end.value ? end : other.end};
  }
  // What of it lies in `within`; empty when they do not meet.
  MediumSpan CutTo(const MediumSpan& within) const {
    return {begin.value > within.begin.value ? begin : within.begin, end.value < within.end.value ? end : within.end};
  }
};

// The sum, or nothing when it does not fit 64 bits: what a caller's numbers are put together with (B22).
inline std::optional<uint64_t> CheckedAdd(uint64_t a, uint64_t b) {
  uint64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

// True for 1, 2, 4, ...; 0 is none.
inline constexpr bool IsPowerOfTwo(uint64_t n) { return n != 0 && (n & (n - 1)) == 0; }
// The multiple of `alignment`, a power of two, at or below `n`, and the one at or above it. All 64 bits of `n` count
// (B3).   REQUIRES of AlignUp: the result fits 64 bits.
inline constexpr uint64_t AlignDown(uint64_t n, uint64_t alignment) { return n & ~(alignment - 1); }
inline constexpr uint64_t AlignUp(uint64_t n, uint64_t alignment) { return AlignDown(n + alignment - 1, alignment); }

// Where sector `blkno` begins, in bytes from the start of the device; before it for a negative one. Where that does not
// fit, the first or the last sector of 64 bits, where no device is (B5).
inline constexpr int64_t PositionOfSector(int64_t blkno) {
  int64_t position = 0;
  if (!__builtin_mul_overflow(blkno, static_cast<int64_t>(kDevBsize), &position)) return position;
  return blkno < 0 ? INT64_MIN : static_cast<int64_t>(AlignDown(INT64_MAX, kDevBsize));
}
// The sector that the byte at `position` lies in.
inline constexpr int64_t SectorAt(int64_t position) { return position >> kDevBshift; }

// Blocks of 2^shift bytes, each at a multiple of its size, that a span touches.   REQUIRES: the span is not empty.
inline uint64_t BlocksIn(const MediumSpan& span, unsigned shift) {
  return ((span.end.value - 1) >> shift) - (span.begin.value >> shift) + 1;
}
// The smallest shift, from `least` up, with which there are at most `most` of them: a table with an entry for each
// block then stays small, however large the device.
inline unsigned ShiftFor(const MediumSpan& span, unsigned least, uint64_t most) {
  unsigned shift = least;
  while (BlocksIn(span, shift) > most) shift++;
  return shift;
}

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_UNITS_H_
