#include "core/device/ioctl.h"

#include "core/device/label_ioctl.h"

namespace blk {
namespace {

// A partition that no label knows: what its own table says, in the terms of a label.
Partition PartitionOf(const PartitionSpot& spot) {
  Partition partition;
  partition.offset = SaturatedSectors(spot.start);
  partition.size = SaturatedSectors(spot.size);
  return partition;
}

Result<IoctlResult> GetPartition(const Minor& minor, std::optional<uint64_t> arg) {
  const PartitionSpot* spot = minor.partition();
  if (!arg && spot != nullptr && spot->scheme != Scheme::kBsd) return IoctlResult(PartitionOf(*spot));
  const auto label = minor.disk().Label();
  if (!label.ok()) return label.status();
  // The seed's rule for which partition a minor is (B12); a private one is number 0.
  const uint64_t by_minor = minor.index() == kPrivateMinor ? 0 : static_cast<uint64_t>(minor.index()) % kMaxPartitions;
  const uint64_t index = arg.value_or(spot != nullptr ? spot->index : by_minor);
  if (index >= label.value().npartitions) return Status{EINVAL, Op::kIoctl};
  return IoctlResult(label.value().partitions[index]);
}

}  // namespace

Result<IoctlResult> Ioctl(Device& device, std::string_view request, std::optional<uint64_t> arg) {
  const auto done = [](Status status) { return status.ok() ? Result<IoctlResult>(uint64_t{0}) : status; };
  const Minor& minor = device.minor();
  if (request == "DIOCGDINFO") {
    const auto label = minor.disk().Label();
    if (!label.ok()) return label.status();
    return IoctlResult(label.value());
  }
  if (request == "DIOCGDEFLABEL") return IoctlResult(minor.disk().default_label());
  if (request == "DIOCGPART") return GetPartition(minor, arg);
  if (request == "DIOCWLABEL") return done(AllowLabelWrites(device, arg.value_or(0) != 0));
  if (request == "DIOCKLABEL") return done(KeepLabel(device, arg.value_or(0) != 0));
  if (request == "DIOCGMEDIASIZE") return IoctlResult(minor.size());
  // What requests are counted in, whatever the medium calls a sector.
  if (request == "DIOCGSECTORSIZE") return IoctlResult(kDevBsize);
  return Status{ENOTTY, Op::kIoctl};
}

}  // namespace blk
