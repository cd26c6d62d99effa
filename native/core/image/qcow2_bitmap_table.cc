#include "core/image/qcow2_bitmap_table.h"

#include <algorithm>
#include <utility>

#include "core/base/byte_order.h"
#include "core/image/image_file.h"

namespace blk {
namespace {

constexpr uint64_t kOffset = 0x00fffffffffffe00, kAllOnes = 1;

bool AnyIn(const std::vector<uint8_t>& bytes) {
  return std::any_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte != 0; });
}

}  // namespace

Result<std::optional<Qcow2BitmapTable>> Qcow2BitmapTable::Read(Medium& file, const Qcow2Header& header,
                                                               const Qcow2BitmapEntry& entry) {
  const std::optional<Qcow2BitmapTable> damaged;
  const Qcow2BitmapSize size = SizeOfBitmap(header, entry.shift);
  const Result<uint64_t> end = file.SizeNow();
  if (!end.ok()) return end.status();
  const uint64_t cluster = header.cluster_size(), bytes_of = uint64_t{entry.table_entries} * 8;
  if (!size.fits() || entry.table_entries != size.entries || entry.table == 0 || entry.table % cluster != 0 ||
      entry.table > end.value() || bytes_of > end.value() - entry.table) {
    return damaged;
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(bytes_of));
  const Status read = file.Read({entry.table}, bytes.data(), bytes.size());
  if (!read.ok()) return read;
  Qcow2BitmapTable table(header, entry.table, entry.table_entries);
  for (size_t i = 0; i < table.words_.size(); i++) {
    const auto word = blk::Load<uint64_t>(&bytes[i * 8], ByteOrder::kBig);
    const bool placed = (word & kOffset) != 0;
    if ((word & ~(placed ? kOffset : kAllOnes)) != 0) return damaged;
    if (placed && (word % cluster != 0 || word >= end.value())) return damaged;
    table.words_[i] = word;
  }
  return std::optional<Qcow2BitmapTable>(std::move(table));
}

Qcow2BitmapTable Qcow2BitmapTable::Empty(const Qcow2Header& header, const Qcow2BitmapSize& size) {
  return {header, 0, static_cast<size_t>(size.entries)};
}

std::vector<ClusterSpan> Qcow2BitmapTable::Clusters() const {
  const uint64_t first = offset_ >> cluster_bits_;
  std::vector<ClusterSpan> clusters = {{first, first + ((words_.size() * 8 - 1) >> cluster_bits_) + 1}};
  for (const uint64_t word : words_) {
    const uint64_t cluster = word >> cluster_bits_;
    if (word > kAllOnes) clusters.push_back({cluster, cluster + 1});
  }
  return clusters;
}

Status Qcow2BitmapTable::Load(Medium& medium, Channel& file, ChangeMap& map) const {
  std::vector<uint8_t> bits(cluster_size());
  for (size_t i = 0; i < words_.size(); i++) {
    if (words_[i] == 0) continue;
    if (words_[i] == kAllOnes) {
      std::fill(bits.begin(), bits.end(), uint8_t{0xff});
    } else {
      const Status read = ReadImageFile(medium, file, {words_[i]}, bits.data(), bits.size(), {}).status;
      if (!read.ok()) return read;
    }
    map.MarkBits(uint64_t{i} * bits.size() * 8, bits.data(), bits.size());
  }
  return Status::Ok();
}

Status Qcow2BitmapTable::SaveCluster(Medium& medium, Channel& file, Qcow2Clusters& clusters,
                                     const std::vector<uint8_t>& bits, uint64_t& word) {
  if (word > kAllOnes) {
    std::vector<uint8_t> before(bits.size());
    const Status read = ReadImageFile(medium, file, {word}, before.data(), before.size(), {}).status;
    if (!read.ok() || before == bits) return read;
  } else if (AnyIn(bits)) {
    const Result<ClusterSpan> taken = clusters.TakeRow(1);
    if (!taken.ok()) return taken.status();
    word = taken.value().begin << cluster_bits_;
  } else {
    word = 0;
    return Status::Ok();
  }
  return file.Write({word}, bits.data(), bits.size(), {}).status;
}

Status Qcow2BitmapTable::Save(Medium& medium, Channel& file, Qcow2Clusters& clusters, const ChangeMap& map) {
  std::vector<uint64_t> words = words_;
  std::vector<uint8_t> bits(cluster_size());
  for (size_t i = 0; i < words.size(); i++) {
    map.PutBits(uint64_t{i} * bits.size() * 8, bits.data(), bits.size());
    const Status saved = SaveCluster(medium, file, clusters, bits, words[i]);
    if (!saved.ok()) return saved;
  }
  if (words == words_) return Status::Ok();
  std::vector<uint8_t> bytes(words.size() * 8);
  for (size_t i = 0; i < words.size(); i++) Store<uint64_t>(&bytes[i * 8], words[i], ByteOrder::kBig);
  words_ = std::move(words);
  return file.Write({offset_}, bytes.data(), bytes.size(), {}).status;
}

}  // namespace blk
