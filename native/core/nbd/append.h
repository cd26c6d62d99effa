// Puts numbers, text and messages of the wire at the end of a vector, for what both sides say in the handshake. Throws
// what the vector does.
#ifndef RUMPBLK_CORE_NBD_APPEND_H_
#define RUMPBLK_CORE_NBD_APPEND_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/byte_order.h"
#include "core/nbd/wire.h"

namespace blk::nbd {

template <typename T>
void AppendNumber(T value, std::vector<uint8_t>* out) {
  const size_t at = out->size();
  out->resize(at + sizeof(value));
  Store<T>(out->data() + at, value, ByteOrder::kBig);
}

template <typename Message>
void AppendMessage(const Message& message, std::vector<uint8_t>* out) {
  const size_t at = out->size();
  out->resize(at + Message::kSize);
  Encode(message, out->data() + at);
}

inline void AppendText(std::string_view text, std::vector<uint8_t>* out) {
  out->insert(out->end(), text.begin(), text.end());
}

// Behind its length.
inline void AppendString(std::string_view text, std::vector<uint8_t>* out) {
  AppendNumber(static_cast<uint32_t>(text.size()), out);
  AppendText(text, out);
}

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_APPEND_H_
