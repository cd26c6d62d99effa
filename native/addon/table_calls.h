// The calls about labels and partition tables: methods of the native device, and functions of the binding that need no
// device. JavaScript thread only.
#ifndef RUMPBLK_ADDON_TABLE_CALLS_H_
#define RUMPBLK_ADDON_TABLE_CALLS_H_

#include <memory>

#include "addon/args.h"
#include "addon/device_state.h"

namespace blk_addon {

// -> [NativeLabel, position], null without a label, or a failure.
napi_value FindLabelSync(const Args& args, const std::shared_ptr<DeviceState>& device);
napi_value FindLabel(const Args& args, const std::shared_ptr<DeviceState>& device);

// -> NativeTable, null where there is none, or a failure.
napi_value ReadTableSync(const Args& args, const std::shared_ptr<DeviceState>& device);
napi_value ReadTable(const Args& args, const std::shared_ptr<DeviceState>& device);

// (table as TableOf() takes it) -> [0 or a failure, NativeTable with its verdicts].
napi_value WriteTableSync(const Args& args, const std::shared_ptr<DeviceState>& device);
napi_value WriteTable(const Args& args, const std::shared_ptr<DeviceState>& device);

// (numbers, names, to the medium) -> 0, or a failure.
napi_value SetLabel(const Args& args, const std::shared_ptr<DeviceState>& device);
// (all of the disk's, or the device's own) -> NativeWedge[], or a failure.
napi_value Wedges(const Args& args, const std::shared_ptr<DeviceState>& device);

// Adds decodeLabel and encodeLabel to the exports.
void DefineLabelFunctions(Napi::Env env, Napi::Object exports);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_TABLE_CALLS_H_
