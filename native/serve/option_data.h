// OptionData: the data of an option, read from its front; a read beyond its end gives nothing and is remembered. Not
// thread-safe.
#ifndef RUMPBLK_SERVE_OPTION_DATA_H_
#define RUMPBLK_SERVE_OPTION_DATA_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/byte_order.h"

namespace blk::serve {

class OptionData {
 public:
  explicit OptionData(std::span<const uint8_t> data) : data_(data) {}

  uint16_t Number16() { return Number<uint16_t>(); }
  uint32_t Number32() { return Number<uint32_t>(); }
  // A length and as many bytes.
  std::string_view String() {
    const uint32_t length = Number32();
    if (length > data_.size()) return Fail(), std::string_view();
    const auto* text = reinterpret_cast<const char*>(data_.data());
    data_ = data_.subspan(length);
    return {text, length};
  }
  // Whether all of it was read, and nothing beyond.
  bool complete() const { return ok_ && data_.empty(); }
  bool ok() const { return ok_; }

 private:
  void Fail() {
    ok_ = false;
    data_ = {};
  }
  template <typename T>
  T Number() {
    if (sizeof(T) > data_.size()) return Fail(), T{0};
    const T value = Load<T>(data_.data(), ByteOrder::kBig);
    data_ = data_.subspan(sizeof(T));
    return value;
  }

  std::span<const uint8_t> data_;
  bool ok_ = true;
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_OPTION_DATA_H_
