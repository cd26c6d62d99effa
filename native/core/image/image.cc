#include "core/image/image.h"

#include <utility>

#include "core/base/byte_order.h"
#include "core/image/qcow2_medium.h"
#include "core/image/vhd_medium.h"

namespace blk {
namespace {

// Errors: those of the medium.
Result<ImageFormat> Guess(Medium& file) {
  if (!file.size()) return ImageFormat::kRaw;
  const Result<uint64_t> size = file.SizeNow();
  if (!size.ok()) return size.status();
  uint8_t magic[4] = {};
  if (size.value() < sizeof magic) return ImageFormat::kRaw;
  const Status read = file.Read({0}, magic, sizeof magic);
  if (!read.ok()) return read;
  if (Load<uint32_t>(magic, ByteOrder::kBig) == kQcow2Magic) return ImageFormat::kQcow2;
  const Result<bool> vhd = LooksLikeVhd(file, size.value());
  if (!vhd.ok()) return vhd.status();
  return vhd.value() ? ImageFormat::kVhd : ImageFormat::kRaw;
}

}  // namespace

Result<std::unique_ptr<Medium>> OpenImage(HostIo& host, std::unique_ptr<Medium> file, ImageFormat format,
                                          ImageChain chain) {
  if (format == ImageFormat::kAuto) {
    const Result<ImageFormat> guess = Guess(*file);
    if (!guess.ok()) return guess.status();
    format = guess.value();
  }
  if (format == ImageFormat::kRaw) return file;
  if (!file->size()) return Status{EINVAL, Op::kOpen, Why::kNoImageSize};
  chain.open = OpenImage;
  if (format == ImageFormat::kVhd) return VhdMedium::Create(std::move(file));
  return Qcow2Medium::Create(host, std::move(file), std::move(chain));
}

}  // namespace blk
