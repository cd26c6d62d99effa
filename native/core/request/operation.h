// Operation: what a request does. Plain data.
#ifndef RUMPBLK_CORE_REQUEST_OPERATION_H_
#define RUMPBLK_CORE_REQUEST_OPERATION_H_

#include <cstdint>

namespace blk {

enum class Operation : uint8_t { kRead, kWrite };

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_OPERATION_H_
