#include "core/image/qcow2_backing_name.h"

#include <algorithm>
#include <vector>

#include "core/base/byte_order.h"
#include "core/image/image_file.h"

namespace blk {
namespace {

constexpr size_t kBackingField = 8, kLengthField = 100, kHeader3Bytes = 104;
constexpr uint64_t kMostHeaderBytes = 64 * 1024;

Status NoRoom() { return {EINVAL, Op::kPwrite, Why::kBackingName}; }

uint32_t Word(const std::vector<uint8_t>& bytes, size_t at) { return Load<uint32_t>(&bytes[at], ByteOrder::kBig); }

void Put(std::vector<uint8_t>& bytes, uint32_t value) {
  bytes.resize(bytes.size() + sizeof value);
  Store<uint32_t>(&bytes[bytes.size() - sizeof value], value, ByteOrder::kBig);
}

// The header with all extensions but the format of the backing file, without their end. `*end`: behind all that the
// header had.   REQUIRES: `bytes` is a header that ReadQcow2Header() has found sound.
std::vector<uint8_t> WithoutFormat(const std::vector<uint8_t>& bytes, size_t* end) {
  const size_t length = Word(bytes, kLengthField);
  const auto name = static_cast<size_t>(Load<uint64_t>(&bytes[kBackingField], ByteOrder::kBig));
  const size_t limit = name > length ? name : bytes.size();
  std::vector<uint8_t> kept(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
  size_t at = length;
  while (at + 8 <= limit && Word(bytes, at) != kExtensionEnd) {
    const size_t size = 8 + AlignUp(Word(bytes, at + 4), 8);
    if (size > limit - at) break;
    if (Word(bytes, at) != kExtensionBackingFormat) {
      kept.insert(kept.end(), bytes.begin() + static_cast<ptrdiff_t>(at),
                  bytes.begin() + static_cast<ptrdiff_t>(at + size));
    }
    at += size;
  }
  *end = std::max(std::min(at + 8, bytes.size()), name == 0 ? 0 : name + Word(bytes, kBackingField + 8));
  return kept;
}

}  // namespace

Status WriteBackingName(Medium& file, Channel& channel, const Qcow2Header& header, const std::string& name,
                        const std::string& format) {
  if (name.size() > kMaxBackingName || format.size() > kMaxBackingFormat) return NoRoom();
  std::vector<uint8_t> bytes(static_cast<size_t>(std::min(header.cluster_size(), kMostHeaderBytes)));
  const Moved read = ReadImageFile(file, channel, {0}, bytes.data(), bytes.size(), {});
  if (!read.status.ok()) return read.status;
  if (Word(bytes, 0) != kQcow2Magic || Word(bytes, kLengthField) < kHeader3Bytes ||
      Word(bytes, kLengthField) > bytes.size()) {
    return {ESTALE, Op::kPwrite, Why::kQcow2Changed};
  }
  size_t end = 0;
  std::vector<uint8_t> fresh = WithoutFormat(bytes, &end);
  Put(fresh, kExtensionBackingFormat);
  Put(fresh, static_cast<uint32_t>(format.size()));
  fresh.insert(fresh.end(), format.begin(), format.end());
  fresh.resize(AlignUp(fresh.size(), 8) + 8);  // and the end of the extensions
  Store<uint64_t>(&fresh[kBackingField], fresh.size(), ByteOrder::kBig);
  Store<uint32_t>(&fresh[kBackingField + 8], static_cast<uint32_t>(name.size()), ByteOrder::kBig);
  fresh.insert(fresh.end(), name.begin(), name.end());
  if (fresh.size() > bytes.size()) return NoRoom();
  // Zeros over what the old header had beyond it.
  fresh.resize(std::max(fresh.size(), end));
  return channel.Write({0}, fresh.data(), fresh.size(), {}).status;
}

}  // namespace blk
