#include "core/image/qcow2_medium.h"

#include <utility>

#include "core/base/no_memory.h"
#include "core/image/image_format.h"
#include "core/image/sticky_channel.h"
#include "core/image/with_memory.h"

namespace blk {
namespace {

class Qcow2Channel final : public Channel {
 public:
  // `writer` is null of an open that only reads.
  Qcow2Channel(std::shared_ptr<Qcow2Image> image, std::shared_ptr<Qcow2Writer> writer, std::unique_ptr<Channel> file)
      : image_(std::move(image)), writer_(std::move(writer)), file_(std::move(file)) {}

  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override {
    return WithMemory(Op::kPread,
                      [&] { return image_->Read(*file_, at.value, static_cast<uint8_t*>(data), size, rules); });
  }
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override {
    return WithMemory(Op::kPwrite,
                      [&] { return writer_->Write(*file_, at.value, static_cast<const uint8_t*>(data), size, rules); });
  }
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    return WithMemory(Op::kDiscard, [&] { return writer_->Discard(*file_, at.value, size, rules); });
  }
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    return WithMemory(Op::kZero, [&] { return writer_->Zero(*file_, at.value, size, rules); });
  }
  MediumFeatures Features() override { return {true, true, true, false, image_->header().unit_size(), 1}; }
  Status Sync() override { return writer_ ? writer_->Sync() : file_->Sync(); }
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                         const PieceRules& rules) override {
    Result<size_t> count = Status{ENOMEM, Op::kStat};
    static_cast<void>(HadMemory([&] { count = image_->Extents(*file_, within, layer, found, rules); }));
    return count;
  }

 private:
  const std::shared_ptr<Qcow2Image> image_;
  const std::shared_ptr<Qcow2Writer> writer_;
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

void Qcow2Medium::AddBelow(std::vector<MediumIdentity>& found) {
  found.push_back(file_->identity());
  MutexLock lock(mu_);
  if (image_ && image_->backing() != nullptr) image_->backing()->AddBelow(found);
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

Result<std::unique_ptr<Medium>> Qcow2Medium::Again() {
  auto file = file_->Again();
  if (!file.ok()) return file;
  return std::unique_ptr<Medium>(new Qcow2Medium(host_, file.Take(), size_, chain_));
}

Status Qcow2Medium::BeginWriting() {
  auto own = file_->Attach(Own());
  if (!own.ok()) return own.status();
  Status status = Status::Ok();
  const auto begin = [&]() REQUIRES(mu_) {
    own_ = std::make_unique<StickyChannel>(own.Take());
    status = image_->Reload();
    if (!status.ok()) return;
    auto writer = Qcow2Writer::Create(*image_, *own_);
    status = writer.status();
    if (status.ok()) writer_ = writer.Take();
  };
  if (!HadMemory(begin)) status = {ENOMEM, Op::kOpen};
  if (status.ok()) return status;
  own_.reset();
  // The error to tell is the first one.
  static_cast<void>(file_->Detach(Own()));
  return status;
}

Status Qcow2Medium::EndWriting() {
  Status status = writer_->End();
  writer_.reset();
  own_.reset();
  const Status detached = file_->Detach(Own());
  return status.ok() ? detached : status;
}

Status Qcow2Medium::Join(const Attachment& wanted) {
  if (!image_) {
    auto image = OpenImage(wanted.lock);
    if (!image.ok()) return image.status();
    image_ = image.Take();
  }
  if (!wanted.write || writer_) return Status::Ok();
  return BeginWriting();
}

Result<std::unique_ptr<Channel>> Qcow2Medium::Attach(const Attachment& wanted) {
  MutexLock lock(mu_);
  auto file = file_->Attach(Below(wanted));
  if (!file.ok()) return file.status();
  Status status = {ENOMEM, Op::kOpen};
  std::unique_ptr<Channel> channel;
  const auto join = [&]() REQUIRES(mu_) {
    status = Join(wanted);
    if (status.ok()) channel = std::make_unique<Qcow2Channel>(image_, wanted.write ? writer_ : nullptr, file.Take());
  };
  if (!HadMemory(join)) status = {ENOMEM, Op::kOpen};
  if (status.ok()) {
    attached_++;
    if (wanted.write) writers_++;
    return channel;
  }
  // The open's own error is the one to tell.
  if (writer_ && writers_ == 0) static_cast<void>(EndWriting());
  if (attached_ == 0) image_.reset();
  static_cast<void>(file_->Detach(Below(wanted)));
  return status;
}

Result<std::shared_ptr<KeptChanges>> Qcow2Medium::KeepChanges(const std::string& name, std::optional<unsigned> shift) {
  MutexLock lock(mu_);
  if (!writer_) return Status{EACCES, Op::kTrack};
  return writer_->bitmaps().Keep(name, shift);
}

Result<std::vector<KeptBitmap>> Qcow2Medium::ListKept() {
  MutexLock lock(mu_);
  if (writer_) return writer_->bitmaps().List();
  return Qcow2Bitmaps::ListIn(*file_, image_->header());
}

Result<bool> Qcow2Medium::RemoveKept(const std::string& name) {
  MutexLock lock(mu_);
  if (!writer_) return Status{EACCES, Op::kTrack};
  return writer_->bitmaps().Remove(name);
}

Status Qcow2Medium::Detach(const Attachment& wanted) {
  MutexLock lock(mu_);
  Status status = Status::Ok();
  if (wanted.write && --writers_ == 0) status = EndWriting();
  if (--attached_ == 0) {
    image_->Close();
    image_.reset();
  }
  const Status detached = file_->Detach(Below(wanted));
  return status.ok() ? detached : status;
}

}  // namespace blk
