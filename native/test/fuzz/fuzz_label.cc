// Fuzzes DecodeLabel: never crashes, and what it takes for valid survives being encoded and decoded again.
#include <cstdlib>

#include "core/label/disk_label.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const blk::DecodedLabel decoded = blk::DecodeLabel(data, size);
  if (decoded.label.npartitions > blk::kMaxMaxPartitions) std::abort();
  if (!decoded.valid) return 0;
  if (blk::LabelChecksum(decoded.label, decoded.order) != 0) std::abort();
  const blk::EncodedLabel bytes = blk::EncodeLabel(decoded.label, decoded.order);
  const size_t used = blk::kLabelHeaderBytes + decoded.label.npartitions * blk::kPartitionBytes;
  if (used > size || !std::equal(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(used), data)) std::abort();
  return 0;
}
