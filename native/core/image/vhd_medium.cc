#include "core/image/vhd_medium.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/byte_order.h"
#include "core/image/image_format.h"

namespace blk {
namespace {

constexpr char kCookie[] = "conectix";
constexpr size_t kTypeField = 60, kSizeField = 48, kChecksumField = 64;
constexpr uint32_t kFixed = 2;
constexpr uint64_t kShortFooterBytes = 511;

using Footer = std::array<uint8_t, kVhdFooterBytes>;

// The complement of the sum of all bytes but its own.
uint32_t Checksum(const Footer& footer) {
  uint32_t sum = 0;
  for (size_t i = 0; i < footer.size(); i++) {
    if (i < kChecksumField || i >= kChecksumField + 4) sum += footer[i];
  }
  return ~sum;
}

bool HasCookie(const Footer& footer) { return std::memcmp(footer.data(), kCookie, 8) == 0; }
bool HasChecksum(const Footer& footer) {
  return Load<uint32_t>(&footer[kChecksumField], ByteOrder::kBig) == Checksum(footer);
}

// Bytes of the footer that ends a file of so many: versions of Virtual PC before 2004 wrote 511 of them, of which the
// last one, always zero, is missing.
uint64_t FooterBytes(uint64_t file_size) {
  return file_size % kVhdFooterBytes == kShortFooterBytes ? kShortFooterBytes : kVhdFooterBytes;
}

// Errors: EINVAL too short for one · the medium's.
Result<Footer> ReadFooter(Medium& file, uint64_t file_size) {
  const uint64_t bytes = FooterBytes(file_size);
  if (file_size < bytes) return Status{EINVAL, Op::kOpen, Why::kNotVhd};
  Footer footer{};
  const Status read = file.Read({file_size - bytes}, footer.data(), static_cast<size_t>(bytes));
  if (!read.ok()) return read;
  return footer;
}

}  // namespace

Result<bool> LooksLikeVhd(Medium& file, uint64_t file_size) {
  if (file_size < kShortFooterBytes) return false;
  const Result<Footer> footer = ReadFooter(file, file_size);
  if (!footer.ok()) return footer.status();
  return HasCookie(footer.value()) && HasChecksum(footer.value());
}

Result<std::unique_ptr<Medium>> VhdMedium::Create(std::unique_ptr<Medium> file) {
  const Result<uint64_t> size = file->SizeNow();
  if (!size.ok()) return size.status();
  const Result<Footer> found = ReadFooter(*file, size.value());
  if (!found.ok()) return found.status();
  const Footer& footer = found.value();
  if (!HasCookie(footer)) return Status{EINVAL, Op::kOpen, Why::kNotVhd};
  if (!HasChecksum(footer)) return Status{EINVAL, Op::kOpen, Why::kVhdChecksum};
  if (Load<uint32_t>(&footer[kTypeField], ByteOrder::kBig) != kFixed) {
    return Status{ENOTSUP, Op::kOpen, Why::kVhdDynamic};
  }
  const auto disk = Load<uint64_t>(&footer[kSizeField], ByteOrder::kBig);
  if (disk > size.value() - FooterBytes(size.value())) return Status{EINVAL, Op::kOpen, Why::kVhdFooter};
  return std::unique_ptr<Medium>(new VhdMedium(std::move(file), disk));
}

MediumIdentity VhdMedium::identity() const {
  MediumIdentity identity = file_->identity();
  identity.format = static_cast<uint8_t>(ImageFormat::kVhd);
  return identity;
}

Result<uint64_t> VhdMedium::SizeNow() {
  const Result<uint64_t> size = file_->SizeNow();
  if (!size.ok()) return size;
  return std::min(size.value(), size_);
}

// Requests are in bounds of the disk, so the channel of the file serves as it is.
Result<std::unique_ptr<Channel>> VhdMedium::Attach(const Attachment& wanted) { return file_->Attach(Below(wanted)); }

}  // namespace blk
