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

// Some of them. Plain data.
class OperationSet {
 public:
  constexpr bool Has(Operation operation) const { return (bits_ & BitOf(operation)) != 0; }
  constexpr void Add(Operation operation) { bits_ = static_cast<uint8_t>(bits_ | BitOf(operation)); }
  constexpr bool empty() const { return bits_ == 0; }

 private:
  static constexpr uint8_t BitOf(Operation operation) {
    return static_cast<uint8_t>(1u << static_cast<unsigned>(operation));
  }

  uint8_t bits_ = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_OPERATION_H_
