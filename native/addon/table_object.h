// Partition tables, labels and verdicts as the JavaScript values of lib/native/binding.ts. JavaScript thread only.
#ifndef RUMPBLK_ADDON_TABLE_OBJECT_H_
#define RUMPBLK_ADDON_TABLE_OBJECT_H_

#include <optional>
#include <vector>

#include "addon/napi_setup.h"
#include "core/device/wedges.h"
#include "core/label/disk_label.h"
#include "core/label/partition_table.h"

namespace blk_addon {

// -> a NativeTable, with the tables inside it.
Napi::Object TableToObject(Napi::Env env, const blk::PartitionTable& table);
// -> [type, uuid, label], what lies in a partition or on a device.
Napi::Array ContentToArray(Napi::Env env, const blk::ContentIdentity& content);
// -> [label, order, verdicts], a NativeLabel.
Napi::Array LabelToArray(Napi::Env env, const blk::DecodedLabel& decoded);

// What lib/label/table-rows.ts laid out, TableRows of lib/native/binding.ts: [scheme, position, sectorSize, diskId,
// diskGuid, entries, hybrid entries or undefined], an entry being [index, start, size, type, bootable, typeGuid, uuid,
// label, attributes, table or undefined].
// -> nothing where an element is missing, or is of another type or range. Names and verdicts are empty:
// blk::PlanTable() fills them in.
std::optional<blk::PartitionTable> TableOf(Napi::Env env, napi_value rows);
// -> NativeFaults: the verdicts of a tree, the first few with the names of what they are about, and how many there are.
Napi::Object FaultsToObject(Napi::Env env, const blk::PartitionTable& table);
// -> NativeFaults of a label, whose verdicts name partitions by index.
Napi::Object LabelFaultsToObject(Napi::Env env, const blk::Verdicts& verdicts);
// -> NativeWedge[] in an object with the one property `wedges`: an array by itself would look like a failure to lib.
Napi::Object WedgesToArray(Napi::Env env, const std::vector<blk::Wedge>& wedges);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_TABLE_OBJECT_H_
