// Operation: what a request does. Plain data.
#ifndef RUMPBLK_CORE_REQUEST_OPERATION_H_
#define RUMPBLK_CORE_REQUEST_OPERATION_H_

#include <cstdint>

namespace blk {

// kDiscard: the bytes are not needed any more. kZero: they are to read as zeros. kPrefetch: they are read soon. kCopy:
// they are to be what another device holds, by the host alone.
enum class Operation : uint8_t { kRead, kWrite, kFlush, kDiscard, kZero, kPrefetch, kCopy };

// Whether it changes what the device holds: what an 'r' open and a guard refuse.
constexpr bool Mutates(Operation operation) {
  return operation == Operation::kWrite || operation == Operation::kDiscard || operation == Operation::kZero ||
         operation == Operation::kCopy;
}
// Whether it has memory of the caller's, which is cut into pieces and drawn for: the transfers of physio(9).
constexpr bool MovesBytes(Operation operation) {
  return operation == Operation::kRead || operation == Operation::kWrite;
}

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_OPERATION_H_
