// LeaseRig: a device of 8 MiB - 512 bytes behind windows of 1 MiB, to lend from.
#ifndef RUMPBLK_TEST_SUPPORT_LEASE_RIG_H_
#define RUMPBLK_TEST_SUPPORT_LEASE_RIG_H_

#include <memory>

#include "test/support/device_rig.h"

namespace blk::test {

struct LeaseRig : DeviceRig {
  explicit LeaseRig(OpenMode mode = OpenMode::kReadWrite, Access access = Access::kMmap, uint32_t windows = 4)
      : DeviceRig(8 * kMiB) {
    context.window_size = {WindowSize::Kind::kBytes, kMiB};
    context.window_count = windows;
    OpenOptions options;
    options.mode = mode;
    options.access = access;
    device = Open(options, 512);
    host.ClearJournal();
  }
  std::unique_ptr<Device> device;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_LEASE_RIG_H_
