// LabelIoctl: the requests that look at the label of a disk and change it: in memory, or on the medium too.
// No state; thread-safe: LabelState::changes() is taken by each that changes a label, and must not be held already.
// Model: setdisklabel and writedisklabel of NetBSD's subr_disk.c, and the DIOC* cases of its drivers.
#ifndef RUMPBLK_CORE_DEVICE_LABEL_IOCTL_H_
#define RUMPBLK_CORE_DEVICE_LABEL_IOCTL_H_

#include "core/base/status.h"
#include "core/device/device.h"
#include "core/label/disk_label.h"

namespace blk {

enum class LabelWrite : uint8_t { kInMemory, kToMedium };

// DIOCSDINFO and DIOCWDINFO: makes `label` the disk's; its magic numbers and checksum are ignored and computed. The
// medium gets it where it has one, in the same byte order; else behind the start of the first BSD slice; else in
// sector 1. Durable when it returns. A name that stays keeps what lies behind its NUL.
// Errors: EBADF opened for reading · EINVAL with `faults`, verdicts whose entry is the index of a partition: no
// cylinders, a sector size that is none, a partition beyond the end of the disk that was not there before, or was
// smaller; to the medium: more partitions than fit the place, a place that belongs to something else · EBUSY it moves,
// shrinks or drops a partition that is open · EROFS this open protects the place · the host's.
Status SetLabel(Device& device, DiskLabel label, LabelWrite write, Verdicts* faults);

// DIOCWLABEL: lets partitions write over the label, until the last close. DIOCKLABEL: keeps a label in memory over the
// last close. Errors: EBADF opened for reading.
Status AllowLabelWrites(Device& device, bool allow);
Status KeepLabel(Device& device, bool keep);

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_LABEL_IOCTL_H_
