#include "addon/args.h"

#include <algorithm>

namespace blk_addon {

ViewBytes Args::Part(size_t view, size_t offset, size_t length) const {
  const ViewBytes whole = View(view);
  // A negative number becomes a huge one by the cast, and is cut like one.
  const size_t from = std::min<size_t>(static_cast<size_t>(Int(offset)), whole.size);
  const size_t size = std::min<size_t>(static_cast<size_t>(Int(length)), whole.size - from);
  return {whole.data + from, size};
}

std::string Args::Text(size_t i) const {
  size_t size = 0;
  if (napi_get_value_string_utf8(env_, values_[i], nullptr, 0, &size) != napi_ok) return {};
  std::string text(size, '\0');
  // The call writes a NUL behind the text, where std::string has one of its own.
  napi_get_value_string_utf8(env_, values_[i], text.data(), size + 1, &size);
  return text;
}

std::optional<uint64_t> Args::OptionalNumber(size_t i) const {
  double value = 0;
  if (napi_get_value_double(env_, values_[i], &value) != napi_ok) return std::nullopt;
  return static_cast<uint64_t>(value);
}

}  // namespace blk_addon
