// OptionData: the data of an option, read from its front; a read beyond its end gives nothing and is remembered.
// AppendReply and its like: answers to options at the end of a vector. No state of their own.
#ifndef RUMPBLK_SERVE_OPTION_DATA_H_
#define RUMPBLK_SERVE_OPTION_DATA_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "core/nbd/wire.h"

namespace blk::serve {

class OptionData {
 public:
  explicit OptionData(std::span<const uint8_t> data) : data_(data) {}

  uint16_t Number16() { return static_cast<uint16_t>(Number(2)); }
  uint32_t Number32() { return static_cast<uint32_t>(Number(4)); }
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
  uint64_t Number(size_t size) {
    if (size > data_.size()) return Fail(), 0;
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) value = value << 8 | data_[i];
    data_ = data_.subspan(size);
    return value;
  }

  std::span<const uint8_t> data_;
  bool ok_ = true;
};

template <typename Message>
void Append(const Message& message, std::vector<uint8_t>* out) {
  const size_t at = out->size();
  out->resize(at + Message::kSize);
  nbd::Encode(message, out->data() + at);
}

inline void AppendNumber(uint64_t value, size_t size, std::vector<uint8_t>* out) {
  for (size_t i = size; i-- > 0;) out->push_back(static_cast<uint8_t>(value >> (8 * i)));
}

inline void AppendText(std::string_view text, std::vector<uint8_t>* out) {
  out->insert(out->end(), text.begin(), text.end());
}

// The header of an answer that `length` bytes follow.
inline void AppendReply(nbd::Option option, nbd::OptionReply type, size_t length, std::vector<uint8_t>* out) {
  nbd::OptionReplyHeader header;
  header.option = static_cast<uint32_t>(option);
  header.type = static_cast<uint32_t>(type);
  header.length = static_cast<uint32_t>(length);
  Append(header, out);
}

// An answer with words for people.
inline void AppendReply(nbd::Option option, nbd::OptionReply type, std::string_view text, std::vector<uint8_t>* out) {
  AppendReply(option, type, text.size(), out);
  AppendText(text, out);
}

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_OPTION_DATA_H_
