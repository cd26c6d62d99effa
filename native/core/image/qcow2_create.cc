#include "core/image/qcow2_create.h"

#include <algorithm>
#include <vector>

#include "core/base/byte_order.h"

namespace blk {
namespace {

constexpr unsigned kLeastClusterBits = 12, kLeastExtendedBits = 14;
constexpr uint32_t kHeaderBytes = 112;
constexpr unsigned kRefcountOrder = 4;  // counts of 16 bits

// Clusters of a new image, in this order: header, refcount table, its blocks, L1 table.
struct Layout {
  uint64_t l1_entries = 0;
  uint64_t l1_clusters = 0;
  uint64_t blocks = 0;

  uint64_t first_block() const { return 2; }
  uint64_t l1() const { return first_block() + blocks; }
  uint64_t end() const { return l1() + l1_clusters; }
};

Result<Layout> LayOut(const Qcow2Header& header) {
  const uint64_t cluster = header.cluster_size(), block_entries = cluster / 2;
  Layout layout;
  const uint64_t spans = header.size / header.l2_span() + (header.size % header.l2_span() != 0 ? 1 : 0);
  // One of an empty disk too, as QEMU's programs have it.
  layout.l1_entries = std::max<uint64_t>(1, spans);
  if (layout.l1_entries * 8 > kMaxL1Bytes) return Status{EFBIG, Op::kPwrite, Why::kQcow2Size};
  layout.l1_clusters = (layout.l1_entries * 8 + cluster - 1) / cluster;
  layout.blocks = 1;
  while (layout.blocks * block_entries < layout.end()) layout.blocks++;
  if (layout.blocks > cluster / 8) return Status{EFBIG, Op::kPwrite, Why::kQcow2Size};
  return layout;
}

template <typename T>
void Put(std::vector<uint8_t>& bytes, T value) {
  bytes.resize(bytes.size() + sizeof value);
  Store<T>(&bytes[bytes.size() - sizeof value], value, ByteOrder::kBig);
}

// The first cluster.
std::vector<uint8_t> HeaderBytes(const Qcow2Header& header, const Layout& layout) {
  std::vector<uint8_t> extensions;
  if (!header.backing.empty()) {
    const std::string& format = header.backing_format;
    Put<uint32_t>(extensions, kExtensionBackingFormat);
    Put<uint32_t>(extensions, static_cast<uint32_t>(format.size()));
    extensions.insert(extensions.end(), format.begin(), format.end());
    extensions.resize(AlignUp(extensions.size(), 8));
  }
  Put<uint64_t>(extensions, kExtensionEnd);

  const bool backed = !header.backing.empty();
  std::vector<uint8_t> bytes;
  Put<uint32_t>(bytes, kQcow2Magic);
  Put<uint32_t>(bytes, 3);
  Put<uint64_t>(bytes, backed ? kHeaderBytes + extensions.size() : 0);
  Put<uint32_t>(bytes, static_cast<uint32_t>(header.backing.size()));
  Put<uint32_t>(bytes, header.cluster_bits);
  Put<uint64_t>(bytes, header.size);
  Put<uint32_t>(bytes, 0);  // not encrypted
  Put<uint32_t>(bytes, static_cast<uint32_t>(layout.l1_entries));
  Put<uint64_t>(bytes, layout.l1() << header.cluster_bits);
  Put<uint64_t>(bytes, uint64_t{1} << header.cluster_bits);
  Put<uint32_t>(bytes, 1);  // clusters of the refcount table
  Put<uint32_t>(bytes, 0);  // snapshots
  Put<uint64_t>(bytes, 0);
  Put<uint64_t>(bytes, header.incompatible);
  Put<uint64_t>(bytes, 0);
  Put<uint64_t>(bytes, 0);
  Put<uint32_t>(bytes, kRefcountOrder);
  Put<uint32_t>(bytes, kHeaderBytes);
  Put<uint64_t>(bytes, 0);  // zlib, for whoever compresses
  bytes.insert(bytes.end(), extensions.begin(), extensions.end());
  bytes.insert(bytes.end(), header.backing.begin(), header.backing.end());
  return bytes;
}

// Writes `bytes` at a cluster, and zeros up to the end of the last cluster that they touch.
Status PutClusters(Channel& file, const Qcow2Header& header, uint64_t cluster, std::vector<uint8_t> bytes) {
  bytes.resize(AlignUp(std::max<uint64_t>(bytes.size(), 1), header.cluster_size()));
  return file.Write({cluster << header.cluster_bits}, bytes.data(), bytes.size(), {}).status;
}

// The header comes last, behind a sync: whoever finds it finds all of the image.
Status WriteImage(Channel& file, const Qcow2Header& header, const Layout& layout) {
  std::vector<uint8_t> table, counts;
  for (uint64_t i = 0; i < layout.blocks; i++) Put<uint64_t>(table, (layout.first_block() + i) << header.cluster_bits);
  for (uint64_t i = 0; i < layout.end(); i++) Put<uint16_t>(counts, 1);
  counts.resize(static_cast<size_t>(layout.blocks << header.cluster_bits));
  const std::vector<uint8_t> l1(static_cast<size_t>(layout.l1_clusters << header.cluster_bits));
  Status status = PutClusters(file, header, 1, table);
  if (status.ok()) status = PutClusters(file, header, layout.first_block(), counts);
  if (status.ok()) status = PutClusters(file, header, layout.l1(), l1);
  if (status.ok()) status = file.Sync();
  if (status.ok()) status = PutClusters(file, header, 0, HeaderBytes(header, layout));
  return status.ok() ? file.Sync() : status;
}

}  // namespace

Status CreateQcow2(Medium& file, const Qcow2Creation& creation) {
  if (creation.cluster_bits < (creation.extended_l2 ? kLeastExtendedBits : kLeastClusterBits) ||
      creation.cluster_bits > kMaxClusterBits) {
    return {EINVAL, Op::kPwrite, Why::kQcow2ClusterSize};
  }
  if (creation.size > kMaxSafeInteger) return {EFBIG, Op::kPwrite, Why::kQcow2Size};
  if (creation.backing.size() > kMaxBackingName || creation.backing_format.size() > kMaxBackingFormat) {
    return {EINVAL, Op::kPwrite, Why::kBackingName};
  }
  Qcow2Header header;
  header.cluster_bits = creation.cluster_bits;
  header.size = creation.size;
  header.incompatible = creation.extended_l2 ? kIncompatExtendedL2 : 0;
  header.backing = creation.backing;
  header.backing_format = creation.backing_format;
  const Result<Layout> layout = LayOut(header);
  if (!layout.ok()) return layout.status();
  Attachment wanted;
  wanted.write = wanted.lock = true;
  wanted.range = {{0}, {kMaxSafeInteger}};
  auto channel = file.Attach(wanted);
  if (!channel.ok()) return channel.status();
  const Status written = WriteImage(*channel.value(), header, layout.value());
  channel.value().reset();
  const Status detached = file.Detach(wanted);
  return written.ok() ? detached : written;
}

}  // namespace blk
