// Byte order of what lies on a medium: loads and stores of unsigned numbers, and cursors that go through a structure
// field by field, in the order of its layout. No state; the caller checks that the bytes are there.
#ifndef RUMPBLK_CORE_BASE_BYTE_ORDER_H_
#define RUMPBLK_CORE_BASE_BYTE_ORDER_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace blk {

enum class ByteOrder : uint8_t { kLittle, kBig };

// The number in the first sizeof(T) bytes of `from`. Byte by byte, so that it may lie at any address: labels begin at
// byte 64 of a sector, and a GPT array may have entries of any size.
template <typename T>
T Load(const uint8_t* from, ByteOrder order = ByteOrder::kLittle) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); i++) {
    const size_t place = order == ByteOrder::kLittle ? i : sizeof(T) - 1 - i;
    value |= uint64_t{from[i]} << (8 * place);
  }
  return static_cast<T>(value);
}

// Puts `value` into the first sizeof(T) bytes of `to`.
template <typename T>
void Store(uint8_t* to, T value, ByteOrder order = ByteOrder::kLittle) {
  for (size_t i = 0; i < sizeof(T); i++) {
    const size_t place = order == ByteOrder::kLittle ? i : sizeof(T) - 1 - i;
    to[i] = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * place));
  }
}

// T is unsigned in all of these; characters of a name are visited as bytes, in no order.
//
// Visits the fields of a structure: loads them from its bytes, or stores them there. One function that names the fields
// in order describes both directions of a codec.
// Each call takes the next field: a visit that leaves one out shifts all that follow, which the round trips of the
// tests and fuzzers would show.
class FieldLoader {
 public:
  // `from` and `to` have room for all fields that will be visited; nothing is checked.
  FieldLoader(const uint8_t* from, ByteOrder order) : at_(from), order_(order) {}

  template <typename T>
  void operator()(T& field) {
    field = Load<T>(at_, order_);
    at_ += sizeof(T);
  }
  template <typename T, size_t N>
  void operator()(std::array<T, N>& fields) {
    for (T& field : fields) (*this)(field);
  }

 private:
  const uint8_t* at_;
  const ByteOrder order_;
};

class FieldStorer {
 public:
  FieldStorer(uint8_t* to, ByteOrder order) : at_(to), order_(order) {}

  template <typename T>
  void operator()(const T& field) {
    Store<T>(at_, field, order_);
    at_ += sizeof(T);
  }
  template <typename T, size_t N>
  void operator()(const std::array<T, N>& fields) {
    for (const T& field : fields) (*this)(field);
  }

 private:
  uint8_t* at_;
  const ByteOrder order_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_BYTE_ORDER_H_
