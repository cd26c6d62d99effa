// Ioctl: the control requests of a device, by their NetBSD names. DIOCCACHESYNC is Device::Flush() and not here.
// Requests about the label mean that of the disk, also on a partition of it. No state; thread-safe.   Model:
// rumpblk_ioctl, rumpblk.c r1.31 lines 516-541, and the later DIOCGMEDIASIZE.
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

// DIOCGDINFO -> the label on the medium if there is a valid one, else the default one. DIOCGDEFLABEL -> the default
// one. DIOCGPART -> the partition `arg` of the label, by default the one that the device's minor is. DIOCGMEDIASIZE,
// DIOCGSECTORSIZE -> bytes. Errors: ENOTTY any other request · EINVAL no such partition · the host's, when the medium
// cannot be read.
Result<IoctlResult> Ioctl(Device& device, std::string_view request, std::optional<uint64_t> arg);

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_IOCTL_H_
