// Disklabels and partitions as the JavaScript objects of the public surface. JavaScript thread only.
#ifndef RUMPBLK_ADDON_LABEL_OBJECT_H_
#define RUMPBLK_ADDON_LABEL_OBJECT_H_

#include "addon/args.h"
#include "addon/napi_setup.h"
#include "core/label/disk_label.h"

namespace blk_addon {

// -> a Partition of api.d.ts.
Napi::Object PartitionToObject(Napi::Env env, const blk::Partition& partition);
// -> a DiskLabel of api.d.ts; partitions has npartitions entries.
Napi::Object LabelToObject(Napi::Env env, const blk::DiskLabel& label);

// The label that lib/label/codec.ts laid out: its numbers in a double each, in the order of the fields of
// blk::DiskLabel, and its two names of 16 bytes. What is missing of either reads as 0; npartitions is cut to what a
// label has room for.
blk::DiskLabel LabelOf(const ViewBytes& numbers, const ViewBytes& names);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_LABEL_OBJECT_H_
