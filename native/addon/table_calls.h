// The calls about labels and partition tables: methods of the native device, and functions of the binding that need no
// device. JavaScript thread only.
#ifndef RUMPBLK_ADDON_TABLE_CALLS_H_
#define RUMPBLK_ADDON_TABLE_CALLS_H_

#include <memory>

#include "addon/args.h"
#include "addon/device_state.h"

namespace blk_addon {

// -> NativeFoundLabel, null without a label, or a failure: those of blk::FindLabel(). The Sync form reads on this
// thread, the other one on a worker, and gives a promise. So it is with each pair below.
napi_value FindLabelSync(const Args& args, const std::shared_ptr<DeviceState>& device);
napi_value FindLabel(const Args& args, const std::shared_ptr<DeviceState>& device);

// (probe, which also looks at what lies in the partitions) -> NativeTable, null where there is none, or a failure:
// those of blk::ReadPartitionTable().
napi_value ReadTableSync(const Args& args, const std::shared_ptr<DeviceState>& device);
napi_value ReadTable(const Args& args, const std::shared_ptr<DeviceState>& device);

// -> a promise of what lies on the device as a whole, in an object, null where nothing is known there, or a failure:
// those of blk::IdentifyDevice().
napi_value IdentifyContent(const Args& args, const std::shared_ptr<DeviceState>& device);

// (table as TableOf() takes it, overwrite, version or -1, dry run) -> NativeWritten: 0 or a failure, what is wrong with
// a table that was refused, and of a dry run the table with its names. EINVAL alone for what TableOf() does not take.
napi_value WriteTableSync(const Args& args, const std::shared_ptr<DeviceState>& device);
napi_value WriteTable(const Args& args, const std::shared_ptr<DeviceState>& device);

// (numbers, names, to the medium) -> NativeWritten, of blk::SetLabel(). On this thread, in both cases.
napi_value SetLabel(const Args& args, const std::shared_ptr<DeviceState>& device);
// (all of the disk's, or the device's own) -> NativeWedge[] in an object, or a failure. On this thread.
napi_value Wedges(const Args& args, const std::shared_ptr<DeviceState>& device);

// Adds decodeLabel and encodeLabel to the exports.
void DefineLabelFunctions(Napi::Env env, Napi::Object exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_TABLE_CALLS_H_
