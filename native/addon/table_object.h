// Partition tables, labels and verdicts as the JavaScript values of lib/binding.ts. JavaScript thread only.
#ifndef RUMPBLK_ADDON_TABLE_OBJECT_H_
#define RUMPBLK_ADDON_TABLE_OBJECT_H_

#include <vector>

#include "addon/napi_setup.h"
#include "core/device/wedges.h"
#include "core/label/disk_label.h"
#include "core/label/partition_table.h"

namespace blk_addon {

// -> a NativeTable.
Napi::Object TableToObject(Napi::Env env, const blk::PartitionTable& table);
// -> [label, order, verdicts], a NativeLabel.
Napi::Array LabelToArray(Napi::Env env, const blk::DecodedLabel& decoded);

// What lib/write-partitions.ts laid out: [scheme, position, sectorSize, diskId, diskGuid, entries], an entry being
// [index, start, size, type, bootable, typeGuid, uuid, label, attributes, table or undefined].
blk::PartitionTable TableOf(Napi::Env env, napi_value rows);
// -> NativeWedge[].
Napi::Object WedgesToArray(Napi::Env env, const std::vector<blk::Wedge>& wedges);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_TABLE_OBJECT_H_
