#include "core/device/ioctl.h"

namespace blk {
namespace {

Result<IoctlResult> GetPartition(const Minor& minor, std::optional<uint64_t> arg) {
  const uint64_t own = minor.index() == kPrivateMinor ? 0 : static_cast<uint64_t>(minor.index()) % kMaxPartitions;
  const uint64_t index = arg.value_or(own);
  if (index >= minor.label().npartitions) return Status{EINVAL, Op::kIoctl};
  return IoctlResult(minor.label().partitions[index]);
}

}  // namespace

Result<IoctlResult> Ioctl(const Device& device, std::string_view request, std::optional<uint64_t> arg) {
  const Minor& minor = device.minor();
  if (request == "DIOCGDINFO") return IoctlResult(minor.label());
  if (request == "DIOCGPART") return GetPartition(minor, arg);
  if (request == "DIOCGMEDIASIZE") return IoctlResult(minor.size());
  if (request == "DIOCGSECTORSIZE") return IoctlResult(kDevBsize);
  return Status{ENOTTY, Op::kIoctl};
}

}  // namespace blk
