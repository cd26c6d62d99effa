#include "core/image/qcow2_medium.h"

#include <utility>

#include "core/base/no_memory.h"
#include "core/image/image_format.h"

namespace blk {
namespace {

class Qcow2Channel final : public Channel {
 public:
  Qcow2Channel(std::shared_ptr<Qcow2Image> image, std::unique_ptr<Channel> file)
      : image_(std::move(image)), file_(std::move(file)) {}

  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override {
    Moved moved;
    const bool had =
        HadMemory([&] { moved = image_->Read(*file_, at.value, static_cast<uint8_t*>(data), size, rules); });
    return had ? moved : Moved{0, {ENOMEM, Op::kPread}};
  }
  Moved Write(MediumOffset, const void*, size_t, const PieceRules&) override {
    return {0, {EROFS, Op::kPwrite, Why::kReadOnlyImage}};
  }
  Status Sync() override { return file_->Sync(); }
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                         const PieceRules& rules) override {
    Result<size_t> count = Status{ENOMEM, Op::kStat};
    static_cast<void>(HadMemory([&] { count = image_->Extents(*file_, within, layer, found, rules); }));
    return count;
  }

 private:
  const std::shared_ptr<Qcow2Image> image_;
  const std::unique_ptr<Channel> file_;
};

}  // namespace

Result<std::unique_ptr<Medium>> Qcow2Medium::Create(HostIo& host, std::unique_ptr<Medium> file, ImageChain chain) {
  const Result<uint64_t> file_size = file->SizeNow();
  if (!file_size.ok()) return file_size.status();
  const Result<Qcow2Header> header = ReadQcow2Header(*file, file_size.value());
  if (!header.ok()) return header.status();
  if (chain.above.empty()) chain.above.push_back(file->identity());
  return std::unique_ptr<Medium>(new Qcow2Medium(host, std::move(file), header.value().size, std::move(chain)));
}

MediumIdentity Qcow2Medium::identity() const {
  MediumIdentity identity = file_->identity();
  identity.format = static_cast<uint8_t>(ImageFormat::kQcow2);
  return identity;
}

Result<std::shared_ptr<Qcow2Image>> Qcow2Medium::OpenImage(bool lock) const {
  auto image = Qcow2Image::Create(host_, *file_, chain_, lock);
  if (!image.ok()) return image.status();
  if (image.value()->header().size != size_) return Status{ESTALE, Op::kOpen, Why::kQcow2Changed};
  return std::shared_ptr<Qcow2Image>(image.Take());
}

Status Qcow2Medium::Read(MediumOffset at, void* data, size_t size) {
  Attachment look;
  look.range = {at, {at.value + size}};
  auto channel = Attach(look);
  if (!channel.ok()) return channel.status();
  const Status read = channel.value()->Read(at, data, size, {}).status;
  channel.value().reset();
  const Status detached = Detach(look);
  return read.ok() ? detached : read;
}

Result<std::unique_ptr<Channel>> Qcow2Medium::Attach(const Attachment& wanted) {
  MutexLock lock(mu_);
  auto file = file_->Attach(Below(wanted));
  if (!file.ok()) return file.status();
  Status status = Status::Ok();
  std::unique_ptr<Channel> channel;
  const auto make = [&]() REQUIRES(mu_) {
    if (!image_) {
      auto image = OpenImage(wanted.lock);
      status = image.status();
      if (status.ok()) image_ = image.Take();
    }
    if (status.ok() && wanted.write) status = MayWriteQcow2(image_->header());
    if (status.ok() && wanted.write) status = {EROFS, Op::kOpen, Why::kReadOnlyImage};
    if (status.ok()) channel = std::make_unique<Qcow2Channel>(image_, file.Take());
  };
  if (!HadMemory(make)) status = {ENOMEM, Op::kOpen};
  if (status.ok()) {
    attached_++;
    return channel;
  }
  if (attached_ == 0) image_.reset();
  // The open's own error is the one to tell; nothing was written.
  static_cast<void>(file_->Detach(Below(wanted)));
  return status;
}

Status Qcow2Medium::Detach(const Attachment& wanted) {
  MutexLock lock(mu_);
  if (--attached_ == 0) image_.reset();
  return file_->Detach(Below(wanted));
}

}  // namespace blk
