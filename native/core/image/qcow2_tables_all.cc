// Qcow2Tables: what concerns all of the tables: what they refer to, and to refer to nothing.
#include <algorithm>

#include "core/base/byte_order.h"
#include "core/image/qcow2_tables.h"

namespace blk {

Status Qcow2Tables::AddReferences(uint64_t word, std::vector<uint64_t>& clusters) const {
  if ((word & kQcow2Compressed) != 0) {
    const Result<Qcow2Run> run = CompressedUnit(word, 0);
    if (!run.ok()) return run.status();
    const uint64_t last = (run.value().host + run.value().packed - 1) >> header_.cluster_bits;
    for (uint64_t cluster = run.value().host >> header_.cluster_bits; cluster <= last; cluster++) {
      clusters.push_back(cluster);
    }
    return Status::Ok();
  }
  const uint64_t host = word & kQcow2Offset;
  if (host == 0) return Status::Ok();
  if (host % header_.cluster_size() != 0) return {EIO, Op::kPread, Why::kQcow2Entry};
  if (!InFile(host)) return {EIO, Op::kPread, Why::kQcow2PastEnd};
  clusters.push_back(host >> header_.cluster_bits);
  return Status::Ok();
}

Status Qcow2Tables::References(Channel& file, std::vector<uint64_t>& clusters) {
  std::vector<uint8_t> bytes(static_cast<size_t>(header_.cluster_size()));
  const size_t step = size_t{8} * header_.entry_words();
  WriterLock lock(mu_);
  for (size_t i = 0; i < l1_.size(); i++) {
    // Behind the end of the disk the table may have entries too.
    const uint64_t offset = l1_[i] & kQcow2Offset;
    if (offset == 0) continue;
    Status status = AddReferences(offset, clusters);
    if (status.ok()) status = file.Read({offset}, bytes.data(), bytes.size(), {}).status;
    for (size_t at = 0; status.ok() && at < bytes.size(); at += step) {
      status = AddReferences(blk::Load<uint64_t>(&bytes[at], ByteOrder::kBig), clusters);
    }
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

Status Qcow2Tables::Clear(Channel& file) {
  WriterLock lock(mu_);
  const std::vector<uint8_t> zeros(l1_.size() * 8);
  if (zeros.empty()) return Status::Ok();
  const Status written = file.Write({header_.l1_offset}, zeros.data(), zeros.size(), {}).status;
  if (!written.ok()) return written;
  std::fill(l1_.begin(), l1_.end(), 0);
  by_number_.clear();
  return Status::Ok();
}

}  // namespace blk
