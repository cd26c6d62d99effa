// Qcow2Header: what the header of a qcow2 image says, checked, and the geometry that follows from it. Reads only. What
// it says of bitmaps, and of what programs must clear that write, is not here but in qcow2_bitmap_header.h: it changes
// while the image is open.
// Format: docs/interop/qcow2.rst of QEMU; the limits on tables are those that its programs have.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_HEADER_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_HEADER_H_

#include <cstdint>
#include <string>

#include "core/base/status.h"
#include "core/medium/medium.h"

namespace blk {

inline constexpr uint32_t kQcow2Magic = 0x514649fb;  // "QFI\xfb"
inline constexpr unsigned kMinClusterBits = 9, kMaxClusterBits = 21;
inline constexpr uint64_t kMaxL1Bytes = uint64_t{32} << 20;
inline constexpr uint64_t kMaxRefcountTableBytes = uint64_t{8} << 20;
inline constexpr uint32_t kMaxBackingName = 1023;
inline constexpr uint32_t kMaxBackingFormat = 255;
inline constexpr unsigned kSubclusters = 32;  // of a cluster, with extended L2 entries

// Where numbers lie in the header, for whoever changes them in place.
inline constexpr uint64_t kQcow2RefcountTableField = 48;  // offset, then clusters
inline constexpr uint64_t kQcow2AutoclearField = 88;

inline constexpr uint64_t kIncompatDirty = 1, kIncompatCorrupt = 2, kIncompatDataFile = 4, kIncompatCompression = 8,
                          kIncompatExtendedL2 = 16;
inline constexpr uint64_t kCompatLazyRefcounts = 1;
inline constexpr uint64_t kAutoclearBitmaps = 1;

inline constexpr uint32_t kExtensionEnd = 0, kExtensionBackingFormat = 0xe2792aca, kExtensionBitmaps = 0x23852875,
                          kExtensionFeatures = 0x6803f857;

enum class Compression : uint8_t { kZlib = 0, kZstd = 1 };

struct Qcow2Header {
  uint32_t version = 3;
  unsigned cluster_bits = 16;
  uint64_t size = 0;  // bytes of the disk
  uint64_t l1_offset = 0;
  uint32_t l1_entries = 0;
  uint64_t refcount_table = 0;     // offset
  uint32_t refcount_clusters = 0;  // of the table
  unsigned refcount_order = 4;
  uint32_t snapshots = 0;
  uint64_t incompatible = 0;
  uint64_t compatible = 0;
  Compression compression = Compression::kZlib;
  std::string backing;         // empty: none
  std::string backing_format;  // empty: not recorded

  bool operator==(const Qcow2Header& other) const = default;

  bool extended_l2() const { return (incompatible & kIncompatExtendedL2) != 0; }
  uint64_t cluster_size() const { return uint64_t{1} << cluster_bits; }
  // Words of 8 bytes in an entry of an L2 table, and entries in a table.
  unsigned entry_words() const { return extended_l2() ? 2 : 1; }
  uint64_t l2_entries() const { return cluster_size() / (8 * entry_words()); }
  // Bytes of the disk that an L2 table is for.
  uint64_t l2_span() const { return l2_entries() << cluster_bits; }
  // What is allocated by itself: a cluster, or a 32nd of one.
  uint64_t unit_size() const { return extended_l2() ? cluster_size() / kSubclusters : cluster_size(); }
};

// Reads the header of the image in `file`, which is `file_size` bytes long, and checks what can be seen from it.
// Errors: EINVAL no qcow2 image, or one that contradicts itself · ENOTSUP something of it that is not done here ·
// EOVERFLOW · the medium's; all but the last with a Why.   Thread: any; it may wait.
Result<Qcow2Header> ReadQcow2Header(Medium& file, uint64_t file_size);

// Why the image must not be written; ok when it may. Errors: EROFS, with a Why.
Status MayWriteQcow2(const Qcow2Header& header);

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_HEADER_H_
