#include "core/image/qcow2_refcounts.h"

#include <algorithm>

#include "core/base/byte_order.h"

namespace blk {
namespace {

constexpr uint64_t kTableOffset = ~uint64_t{511};

Status Damaged() { return {EIO, Op::kPwrite, Why::kQcow2Refcount}; }

}  // namespace

Qcow2Refcounts::Qcow2Refcounts(Channel& file, const Qcow2Header& header)
    : file_(file),
      cluster_bits_(header.cluster_bits),
      order_(header.refcount_order),
      block_entries_(header.cluster_size() * 8 >> header.refcount_order) {
  place_.begin = header.refcount_table >> cluster_bits_;
  place_.end = place_.begin + header.refcount_clusters;
}

Result<std::unique_ptr<Qcow2Refcounts>> Qcow2Refcounts::Create(Channel& file, const Qcow2Header& header,
                                                               uint64_t file_size) {
  std::unique_ptr<Qcow2Refcounts> counts(new Qcow2Refcounts(file, header));
  const uint64_t size = uint64_t{header.refcount_clusters} << header.cluster_bits;
  if (size > file_size - header.refcount_table) return Damaged();
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  const Moved moved = file.Read({header.refcount_table}, bytes.data(), bytes.size(), {});
  if (!moved.status.ok()) return moved.status;
  counts->table_.resize(bytes.size() / 8);
  for (size_t i = 0; i < counts->table_.size(); i++) {
    const uint64_t block = blk::Load<uint64_t>(&bytes[i * 8], ByteOrder::kBig) & kTableOffset;
    if (block % header.cluster_size() != 0 || (block != 0 && block > file_size - header.cluster_size())) {
      return Damaged();
    }
    counts->table_[i] = block;
  }
  return counts;
}

uint64_t Qcow2Refcounts::Load(const std::vector<uint8_t>& bytes, uint64_t index) const {
  if (order_ < 3) {
    const uint64_t bit = index << order_;
    return bytes[static_cast<size_t>(bit / 8)] >> (bit % 8) & ((1u << (1u << order_)) - 1);
  }
  const size_t width = size_t{1} << (order_ - 3);
  uint64_t value = 0;
  for (size_t i = 0; i < width; i++) value = value << 8 | bytes[static_cast<size_t>(index) * width + i];
  return value;
}

void Qcow2Refcounts::Store(std::vector<uint8_t>& bytes, uint64_t index, uint64_t value) const {
  if (order_ < 3) {
    const uint64_t bit = index << order_;
    const unsigned mask = ((1u << (1u << order_)) - 1) << (bit % 8);
    uint8_t& byte = bytes[static_cast<size_t>(bit / 8)];
    byte = static_cast<uint8_t>((byte & ~mask) | (value << (bit % 8) & mask));
    return;
  }
  const size_t width = size_t{1} << (order_ - 3);
  for (size_t i = width; i > 0; i--, value >>= 8) {
    bytes[static_cast<size_t>(index) * width + i - 1] = static_cast<uint8_t>(value);
  }
}

Status Qcow2Refcounts::ReadEntries(uint64_t block, uint64_t first, uint64_t count, std::vector<uint8_t>& bytes,
                                   uint64_t* skip) {
  *skip = order_ < 3 ? first % (8 >> order_) : 0;
  bytes.resize(static_cast<size_t>(EntryBytes(*skip + count)));
  return file_.Read({block + ((first - *skip) << order_) / 8}, bytes.data(), bytes.size(), {}).status;
}

Result<uint64_t> Qcow2Refcounts::End() {
  size_t last = table_.size();
  std::vector<uint8_t> bytes;
  while (last > 0) {
    if (table_[--last] == 0) continue;
    uint64_t skip = 0;
    const Status read = ReadEntries(table_[last], 0, block_entries_, bytes, &skip);
    if (!read.ok()) return read;
    for (uint64_t i = block_entries_; i > 0; i--) {
      if (Load(bytes, i - 1) != 0) return last * block_entries_ + i;
    }
  }
  return uint64_t{0};
}

Result<uint64_t> Qcow2Refcounts::Get(uint64_t cluster) {
  std::vector<uint8_t> bytes;
  uint64_t skip = 0;
  const uint64_t block = table_[static_cast<size_t>(cluster / block_entries_)];
  const Status read = ReadEntries(block, cluster % block_entries_, 1, bytes, &skip);
  if (!read.ok()) return read;
  return Load(bytes, skip);
}

Status Qcow2Refcounts::Set(ClusterSpan clusters, uint64_t value) {
  std::vector<uint8_t> bytes;
  uint64_t skip = 0;
  const uint64_t block = table_[static_cast<size_t>(clusters.begin / block_entries_)];
  const uint64_t first = clusters.begin % block_entries_;
  const Status read = ReadEntries(block, first, clusters.count(), bytes, &skip);
  if (!read.ok()) return read;
  for (uint64_t i = 0; i < clusters.count(); i++) Store(bytes, skip + i, value);
  return file_.Write({block + ((first - skip) << order_) / 8}, bytes.data(), bytes.size(), {}).status;
}

Status Qcow2Refcounts::Drop(ClusterSpan clusters) {
  for (uint64_t cluster = clusters.begin; cluster < clusters.end; cluster++) {
    if (!HasBlock(cluster)) return Damaged();
    const Result<uint64_t> count = Get(cluster);
    if (!count.ok()) return count.status();
    if (count.value() == 0) return Damaged();
    const Status set = Set({cluster, cluster + 1}, count.value() - 1);
    if (!set.ok()) return set;
  }
  return Status::Ok();
}

void Qcow2Refcounts::AddOwn(std::vector<uint64_t>& clusters) const {
  for (uint64_t cluster = place_.begin; cluster < place_.end; cluster++) clusters.push_back(cluster);
  for (const uint64_t block : table_) {
    if (block != 0) clusters.push_back(block >> cluster_bits_);
  }
}

Status Qcow2Refcounts::AddBlock(uint64_t cluster, uint64_t end) {
  const uint64_t place = cluster << cluster_bits_;
  const auto slot = static_cast<size_t>(cluster / block_entries_);
  table_[slot] = place;
  Status status = Set({cluster, end}, 1);
  if (status.ok()) status = file_.Sync();
  uint8_t word[8];
  blk::Store<uint64_t>(word, place, ByteOrder::kBig);
  if (status.ok()) status = file_.Write({(place_.begin << cluster_bits_) + slot * 8}, word, sizeof word, {}).status;
  if (status.ok()) return file_.Sync();
  table_[slot] = 0;
  return status;
}

// The blocks come first, then the table, all of which the new blocks count.
Result<Qcow2Refcounts::Plan> Qcow2Refcounts::PlanGrowth(uint64_t cluster) const {
  const uint64_t slot = cluster / block_entries_, entries = (uint64_t{1} << cluster_bits_) / 8;
  const uint64_t most = kMaxRefcountTableBytes >> cluster_bits_;
  if (slot / entries + 1 > most) return Status{ENOSPC, Op::kPwrite, Why::kImageFull};
  Plan plan;
  plan.table_clusters = std::min(most, std::max(place_.count() * 2, (slot + 1) / entries + 1));
  plan.blocks = 1;
  const uint64_t skip = cluster % block_entries_;
  while (plan.blocks * block_entries_ < skip + plan.blocks + plan.table_clusters) plan.blocks++;
  if (slot + plan.blocks > plan.table_clusters * entries) return Status{ENOSPC, Op::kPwrite, Why::kImageFull};
  return plan;
}

Result<uint64_t> Qcow2Refcounts::Growth(uint64_t cluster) const {
  const Result<Plan> plan = PlanGrowth(cluster);
  if (!plan.ok()) return plan.status();
  return plan.value().blocks + plan.value().table_clusters;
}

Result<ClusterSpan> Qcow2Refcounts::Grow(uint64_t cluster) {
  const Result<Plan> planned = PlanGrowth(cluster);
  if (!planned.ok()) return planned.status();
  const Plan plan = planned.value();
  const uint64_t end = cluster + plan.blocks + plan.table_clusters;
  const size_t first = static_cast<size_t>(cluster / block_entries_);
  std::vector<uint64_t> table = table_;
  table.resize(static_cast<size_t>(plan.table_clusters << cluster_bits_) / 8);
  for (uint64_t i = 0; i < plan.blocks; i++) table[first + i] = (cluster + i) << cluster_bits_;

  std::vector<uint8_t> bytes(table.size() * 8);
  for (size_t i = 0; i < table.size(); i++) blk::Store<uint64_t>(&bytes[i * 8], table[i], ByteOrder::kBig);
  const ClusterSpan place = {cluster + plan.blocks, end};
  Status status = file_.Write({place.begin << cluster_bits_}, bytes.data(), bytes.size(), {}).status;
  const std::vector<uint64_t> before = std::exchange(table_, std::move(table));
  for (uint64_t at = cluster; status.ok() && at < end;) {
    const uint64_t to = std::min(end, (at / block_entries_ + 1) * block_entries_);
    status = Set({at, to}, 1);
    at = to;
  }
  if (status.ok()) status = file_.Sync();
  uint8_t field[12];
  blk::Store<uint64_t>(field, place.begin << cluster_bits_, ByteOrder::kBig);
  blk::Store<uint32_t>(field + 8, static_cast<uint32_t>(place.count()), ByteOrder::kBig);
  if (status.ok()) status = file_.Write({kQcow2RefcountTableField}, field, sizeof field, {}).status;
  if (status.ok()) status = file_.Sync();
  if (status.ok()) return std::exchange(place_, place);
  table_ = before;
  return status;
}

}  // namespace blk
