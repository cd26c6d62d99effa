// AppendReply: answers to options, at the end of a vector. No state.
#ifndef RUMPBLK_SERVE_OPTION_REPLY_H_
#define RUMPBLK_SERVE_OPTION_REPLY_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/nbd/append.h"
#include "core/nbd/wire.h"

namespace blk::serve {

// The header of an answer that `length` bytes follow.
inline void AppendReply(nbd::Option option, nbd::OptionReply type, size_t length, std::vector<uint8_t>* out) {
  nbd::OptionReplyHeader header;
  header.option = static_cast<uint32_t>(option);
  header.type = static_cast<uint32_t>(type);
  header.length = static_cast<uint32_t>(length);
  nbd::AppendMessage(header, out);
}

// An answer with words for people.
inline void AppendReply(nbd::Option option, nbd::OptionReply type, std::string_view text, std::vector<uint8_t>* out) {
  AppendReply(option, type, text.size(), out);
  nbd::AppendText(text, out);
}

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_OPTION_REPLY_H_
