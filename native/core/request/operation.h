// Operation: what a request does. Plain data.
#ifndef RUMPBLK_CORE_REQUEST_OPERATION_H_
#define RUMPBLK_CORE_REQUEST_OPERATION_H_

#include <cstdint>

namespace blk {

enum class Operation : uint8_t { kRead, kWrite };

// Whether it changes what the device holds: what an 'r' open and a guard refuse.
constexpr bool Mutates(Operation operation) { return operation != Operation::kRead; }

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_OPERATION_H_
