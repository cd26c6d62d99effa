#include "core/image/qcow2_backing_name.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "core/base/byte_order.h"
#include "core/image/image_file.h"

namespace blk {
namespace {

constexpr size_t kBackingField = 8, kLengthField = 100, kHeader3Bytes = 104;
constexpr uint64_t kMostHeaderBytes = 64 * 1024;
constexpr ptrdiff_t kSector = 512;

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

// The first sector of the header as it is to be, and where a name goes that the header does not have yet.
struct OneSector {
  std::vector<uint8_t> sector;
  uint64_t place = 0;
};

// Nothing: the name has no room beside the old one, or the extensions change beyond the first sector, or in size.
std::optional<OneSector> InOneSector(std::vector<uint8_t> bytes, const std::string& name, const std::string& format) {
  const uint64_t old = Load<uint64_t>(&bytes[kBackingField], ByteOrder::kBig);
  const size_t length = Word(bytes, kLengthField);
  const uint64_t limit = old > length ? std::min<uint64_t>(old, bytes.size()) : bytes.size();
  size_t at = length;
  std::optional<size_t> said;  // where the format is
  while (at + 8 <= limit && Word(bytes, at) != kExtensionEnd) {
    const uint64_t size = 8 + AlignUp(Word(bytes, at + 4), 8);
    if (size > limit - at) return std::nullopt;
    if (Word(bytes, at) == kExtensionBackingFormat) said = at;
    at += static_cast<size_t>(size);
  }
  if (at + 8 > limit || !said) return std::nullopt;
  const size_t room = AlignUp(Word(bytes, *said + 4), 8);
  if (room != AlignUp(format.size(), 8) || *said + 8 + room > size_t{kSector}) return std::nullopt;
  const uint64_t end = AlignUp(at + 8, 8), old_end = old + Word(bytes, kBackingField + 8);
  OneSector change;
  change.place = old > end && name.size() <= old - end ? end : AlignUp(std::max(end, old_end), 8);
  if (change.place > bytes.size() || name.size() > bytes.size() - change.place) return std::nullopt;
  std::copy(name.begin(), name.end(), bytes.begin() + static_cast<ptrdiff_t>(change.place));
  Store<uint64_t>(&bytes[kBackingField], change.place, ByteOrder::kBig);
  Store<uint32_t>(&bytes[kBackingField + 8], static_cast<uint32_t>(name.size()), ByteOrder::kBig);
  Store<uint32_t>(&bytes[*said + 4], static_cast<uint32_t>(format.size()), ByteOrder::kBig);
  const auto text = bytes.begin() + static_cast<ptrdiff_t>(*said + 8);
  std::fill(text, text + static_cast<ptrdiff_t>(room), uint8_t{0});
  std::copy(format.begin(), format.end(), text);
  change.sector.assign(bytes.begin(), bytes.begin() + kSector);
  return change;
}

// After a failure the header has what it had, for all that can be done.
Status Replace(Channel& channel, const std::vector<uint8_t>& fresh, const std::vector<uint8_t>& before) {
  Status status = channel.Write({0}, fresh.data(), fresh.size(), {}).status;
  if (status.ok()) status = channel.Sync();
  if (!status.ok()) static_cast<void>(channel.Write({0}, before.data(), fresh.size(), {}));
  return status;
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
  if (const auto change = InOneSector(bytes, name, format)) {
    Status status = channel.Write({change->place}, name.data(), name.size(), {}).status;
    if (status.ok()) status = channel.Sync();
    return status.ok() ? Replace(channel, change->sector, bytes) : status;
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
  return Replace(channel, fresh, bytes);
}

}  // namespace blk
