// The calls about the table of a driver: what registers, lists and frees minors. Methods of the native driver.
// JavaScript thread only.
#ifndef RUMPBLK_ADDON_MINOR_CALLS_H_
#define RUMPBLK_ADDON_MINOR_CALLS_H_

#include <cstddef>
#include <memory>

#include "addon/args.h"
#include "addon/env_state.h"
#include "core/device/options.h"

namespace blk_addon {

// (offset, size, sector size) from argument `i` on; a negative size is TO_THE_END of lib/native/binding.ts, a sector
// size of 0 is not named.
blk::MediumRange RangeAt(const Args& args, size_t i);

// (source, offset, size, sector size) -> minor, or a failure: those of blk::Driver::Register(). The Sync form asks the
// host on this thread, the other one on a worker, and gives a promise. So it is with each pair below.
napi_value RegisterSync(const Args& args, const std::shared_ptr<DriverState>& state);
napi_value Register(const Args& args, const std::shared_ptr<DriverState>& state);

// (minor, name) -> minor, or a failure: those of blk::Driver::RegisterPartition().
napi_value RegisterPartitionSync(const Args& args, const std::shared_ptr<DriverState>& state);
napi_value RegisterPartition(const Args& args, const std::shared_ptr<DriverState>& state);

// (minor) -> NativeRegistered[] in an object, or a failure: those of blk::Driver::RegisterPartitions().
napi_value RegisterPartitionsSync(const Args& args, const std::shared_ptr<DriverState>& state);
napi_value RegisterPartitions(const Args& args, const std::shared_ptr<DriverState>& state);

// (path, size, clusterBits, extendedL2, backing, backingFormat) -> 0, or a failure: those of blk::CreateQcow2() of the
// file there. In no table: the driver lends its workers.
napi_value CreateQcow2Sync(const Args& args, const std::shared_ptr<DriverState>& state);
napi_value CreateQcow2(const Args& args, const std::shared_ptr<DriverState>& state);

// (minor) -> 0, or a failure: those of blk::Driver::Deregister(). On this thread.
napi_value Deregister(const Args& args, const std::shared_ptr<DriverState>& state);
// () -> NativeMinorInfo[] in an object.
napi_value Minors(const Args& args, const std::shared_ptr<DriverState>& state);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_MINOR_CALLS_H_
