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

using Footer = std::array<uint8_t, kVhdFooterBytes>;

// The complement of the sum of all bytes but its own.
uint32_t Checksum(const Footer& footer) {
  uint32_t sum = 0;
  for (size_t i = 0; i < footer.size(); i++) {
    if (i < kChecksumField || i >= kChecksumField + 4) sum += footer[i];
  }
  return ~sum;
}

bool IsFooter(const Footer& footer) {
  return std::memcmp(footer.data(), kCookie, 8) == 0 &&
         Load<uint32_t>(&footer[kChecksumField], ByteOrder::kBig) == Checksum(footer);
}

// Where the footer lies that ends a file of so many bytes. Older programs wrote 511 bytes of it.
MediumOffset FooterAt(uint64_t file_size) { return {file_size - kVhdFooterBytes}; }

}  // namespace

Result<bool> LooksLikeVhd(Medium& file, uint64_t file_size) {
  if (file_size < kVhdFooterBytes) return false;
  Footer footer;
  const Status read = file.Read(FooterAt(file_size), footer.data(), footer.size());
  if (!read.ok()) return read;
  return IsFooter(footer);
}

Result<std::unique_ptr<Medium>> VhdMedium::Create(std::unique_ptr<Medium> file) {
  const Result<uint64_t> size = file->SizeNow();
  if (!size.ok()) return size.status();
  if (size.value() < kVhdFooterBytes) return Status{EINVAL, Op::kOpen, Why::kNotVhd};
  Footer footer;
  const Status read = file->Read(FooterAt(size.value()), footer.data(), footer.size());
  if (!read.ok()) return read;
  if (!IsFooter(footer)) return Status{EINVAL, Op::kOpen, Why::kNotVhd};
  if (Load<uint32_t>(&footer[kTypeField], ByteOrder::kBig) != kFixed) {
    return Status{ENOTSUP, Op::kOpen, Why::kVhdDynamic};
  }
  const auto disk = Load<uint64_t>(&footer[kSizeField], ByteOrder::kBig);
  if (disk > size.value() - kVhdFooterBytes) return Status{EINVAL, Op::kOpen, Why::kVhdFooter};
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
