// Ioctl: the control requests of a device, by their NetBSD names. DIOCCACHESYNC is Device::Flush() and not here.
// No state; thread-safe.   Model: rumpblk_ioctl, rumpblk.c r1.31 lines 516-541, and the later DIOCGMEDIASIZE.
#ifndef RUMPBLK_CORE_DEVICE_IOCTL_H_
#define RUMPBLK_CORE_DEVICE_IOCTL_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/status.h"
#include "core/device/device.h"
#include "core/label/disk_label.h"

namespace blk {

using IoctlResult = std::variant<DiskLabel, Partition, uint64_t>;

// DIOCGDINFO -> the label. DIOCGPART -> the partition `arg`, by default the one of the device's minor.
// DIOCGMEDIASIZE, DIOCGSECTORSIZE -> bytes.
// Errors: ENOTTY any other request · EINVAL no such partition.
Result<IoctlResult> Ioctl(const Device& device, std::string_view request, std::optional<uint64_t> arg);

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_IOCTL_H_
