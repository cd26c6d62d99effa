#include "core/label/guid.h"

#include <cstddef>

namespace blk {
namespace {

constexpr size_t kTextSize = 36;
// Byte of the medium behind each pair of digits, from left to right.
constexpr std::array<uint8_t, 16> kOrder = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

constexpr bool IsDash(size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string FormatGuid(const Guid& guid) {
  std::string text;
  text.reserve(kTextSize);
  for (const uint8_t from : kOrder) {
    if (IsDash(text.size())) text += '-';
    text += "0123456789ABCDEF"[guid.bytes[from] >> 4];
    text += "0123456789ABCDEF"[guid.bytes[from] & 15];
  }
  return text;
}

std::optional<Guid> ParseGuid(std::string_view text) {
  if (text.size() != kTextSize) return std::nullopt;
  Guid guid;
  size_t at = 0;
  for (const uint8_t to : kOrder) {
    if (IsDash(at) && text[at++] != '-') return std::nullopt;
    const int high = DigitOf(text[at]);
    const int low = DigitOf(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    guid.bytes[to] = static_cast<uint8_t>(high << 4 | low);
    at += 2;
  }
  return guid;
}

}  // namespace blk
