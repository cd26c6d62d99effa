#include "core/image/qcow2_header.h"

#include <algorithm>
#include <vector>

#include "core/base/byte_order.h"

namespace blk {
namespace {

constexpr size_t kHeader2Bytes = 72, kHeader3Bytes = 104;
// Of the first cluster no more than this is looked at: QEMU's programs write some hundred bytes.
constexpr uint64_t kMostHeaderBytes = 64 * 1024;

Status Refused(int err, Why why) { return {err, Op::kOpen, why}; }

uint32_t Word(const std::vector<uint8_t>& bytes, size_t at) { return Load<uint32_t>(&bytes[at], ByteOrder::kBig); }
uint64_t Long(const std::vector<uint8_t>& bytes, size_t at) { return Load<uint64_t>(&bytes[at], ByteOrder::kBig); }

// [at, at + size) is aligned to clusters, behind the header, and ends inside the file.
bool IsPlace(const Qcow2Header& header, uint64_t at, uint64_t size, uint64_t file_size) {
  const uint64_t cluster = header.cluster_size();
  return at % cluster == 0 && at >= cluster && at <= file_size && size <= file_size - at;
}

Status CheckFeatures(const Qcow2Header& header, uint32_t crypt, unsigned type) {
  constexpr uint64_t kKnown =
      kIncompatDirty | kIncompatCorrupt | kIncompatDataFile | kIncompatCompression | kIncompatExtendedL2;
  if ((header.incompatible & ~kKnown) != 0) return Refused(ENOTSUP, Why::kQcow2Feature);
  if ((header.incompatible & kIncompatDataFile) != 0) return Refused(ENOTSUP, Why::kQcow2DataFile);
  if (crypt != 0) return Refused(ENOTSUP, Why::kQcow2Encrypted);
  const bool named = (header.incompatible & kIncompatCompression) != 0;
  if (named != (type != 0)) return Refused(EINVAL, Why::kQcow2Header);
  if (type > 1) return Refused(ENOTSUP, Why::kQcow2Compression);
  if (header.extended_l2() && header.cluster_bits < 14) return Refused(EINVAL, Why::kQcow2ClusterSize);
  return Status::Ok();
}

Status CheckTables(const Qcow2Header& header, uint64_t snapshots_offset, uint64_t file_size) {
  if (header.size > kMaxSafeInteger) return Refused(EOVERFLOW, Why::kQcow2Size);
  const uint64_t needed = header.size / header.l2_span() + (header.size % header.l2_span() != 0 ? 1 : 0);
  const uint64_t l1_bytes = uint64_t{header.l1_entries} * 8;
  if (l1_bytes > kMaxL1Bytes || header.l1_entries < needed) return Refused(EINVAL, Why::kQcow2L1Table);
  if (l1_bytes > 0 && !IsPlace(header, header.l1_offset, l1_bytes, file_size)) {
    return Refused(EINVAL, Why::kQcow2L1Table);
  }
  const uint64_t table = uint64_t{header.refcount_clusters} << header.cluster_bits;
  if (table == 0 || table > kMaxRefcountTableBytes || header.refcount_order > 6 ||
      !IsPlace(header, header.refcount_table, std::min<uint64_t>(table, 8), file_size)) {
    return Refused(EINVAL, Why::kQcow2RefcountTable);
  }
  if (header.snapshots > 0 && !IsPlace(header, snapshots_offset, 0, file_size)) {
    return Refused(EINVAL, Why::kQcow2Snapshots);
  }
  return Status::Ok();
}

// Walks the extensions in [at, end) of `bytes`.
Status ReadExtensions(const std::vector<uint8_t>& bytes, size_t at, size_t end, Qcow2Header& header) {
  // No more than 8 bytes left, and no end: older programs leave none where the header has no extension.
  while (at + 8 <= end) {
    const uint32_t type = Word(bytes, at), size = Word(bytes, at + 4);
    if (type == kExtensionEnd) return Status::Ok();
    at += 8;
    if (size > end - at) return Refused(EINVAL, Why::kQcow2Extension);
    if (type == kExtensionBackingFormat) {
      if (size > kMaxBackingFormat) return Refused(EINVAL, Why::kQcow2Extension);
      header.backing_format.assign(bytes.begin() + static_cast<ptrdiff_t>(at),
                                   bytes.begin() + static_cast<ptrdiff_t>(at + size));
    }
    at += AlignUp(size, 8);
  }
  return Status::Ok();
}

}  // namespace

Result<Qcow2Header> ReadQcow2Header(Medium& file, uint64_t file_size) {
  if (file_size < kHeader2Bytes) return Refused(EINVAL, Why::kNotQcow2);
  std::vector<uint8_t> bytes(static_cast<size_t>(std::min(file_size, kMostHeaderBytes)));
  const Status read = file.Read({0}, bytes.data(), bytes.size());
  if (!read.ok()) return read;
  if (Word(bytes, 0) != kQcow2Magic) return Refused(EINVAL, Why::kNotQcow2);

  Qcow2Header header;
  header.version = Word(bytes, 4);
  if (header.version != 2 && header.version != 3) return Refused(ENOTSUP, Why::kQcow2Version);
  header.cluster_bits = Word(bytes, 20);
  if (header.cluster_bits < kMinClusterBits || header.cluster_bits > kMaxClusterBits) {
    return Refused(EINVAL, Why::kQcow2ClusterSize);
  }
  header.size = Long(bytes, 24);
  header.l1_entries = Word(bytes, 36);
  header.l1_offset = Long(bytes, 40);
  header.refcount_table = Long(bytes, kQcow2RefcountTableField);
  header.refcount_clusters = Word(bytes, kQcow2RefcountTableField + 8);
  header.snapshots = Word(bytes, 60);

  size_t length = kHeader2Bytes;
  unsigned type = 0;
  // Of the first cluster what is there.
  const auto room = static_cast<size_t>(std::min<uint64_t>(header.cluster_size(), bytes.size()));
  if (header.version == 3) {
    if (room < kHeader3Bytes) return Refused(EINVAL, Why::kQcow2Header);
    header.incompatible = Long(bytes, 72);
    header.compatible = Long(bytes, 80);
    header.refcount_order = Word(bytes, 96);
    length = Word(bytes, 100);
    if (length < kHeader3Bytes || length > room) return Refused(EINVAL, Why::kQcow2Header);
    if (length > kHeader3Bytes) type = bytes[104];
  }
  Status status = CheckFeatures(header, Word(bytes, 32), type);
  if (!status.ok()) return status;
  header.compression = static_cast<Compression>(type);
  status = CheckTables(header, Long(bytes, 64), file_size);
  if (!status.ok()) return status;

  const uint64_t backing = Long(bytes, 8);
  const uint32_t backing_size = backing == 0 ? 0 : Word(bytes, 16);
  if (backing != 0) {
    if (backing_size > kMaxBackingName || backing > room || backing_size > room - backing) {
      return Refused(EINVAL, Why::kBackingName);
    }
    header.backing.assign(bytes.begin() + static_cast<ptrdiff_t>(backing),
                          bytes.begin() + static_cast<ptrdiff_t>(backing + backing_size));
  }
  status = ReadExtensions(bytes, length, backing > length ? static_cast<size_t>(backing) : room, header);
  if (!status.ok()) return status;
  return header;
}

Status MayWriteQcow2(const Qcow2Header& header) {
  if (header.version < 3) return Refused(EROFS, Why::kReadOnlyVersion);
  if ((header.incompatible & kIncompatCorrupt) != 0) return Refused(EROFS, Why::kReadOnlyCorrupt);
  if ((header.incompatible & kIncompatDirty) != 0) return Refused(EROFS, Why::kReadOnlyDirty);
  if (header.snapshots > 0) return Refused(EROFS, Why::kReadOnlySnapshots);
  return Status::Ok();
}

}  // namespace blk
