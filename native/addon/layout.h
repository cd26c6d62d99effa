// Layout: what the numbers that cross mean, told to lib once instead of written down there a second time: enums by
// name, and what the columns of counters and batches are. Made of the enums of core themselves.
#ifndef RUMPBLK_ADDON_LAYOUT_H_
#define RUMPBLK_ADDON_LAYOUT_H_

#include "addon/napi_setup.h"

namespace blk_addon {

// The object `layout` of lib/native/binding.ts.   Thread: JavaScript.
Napi::Object MakeLayout(Napi::Env env);

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_LAYOUT_H_
