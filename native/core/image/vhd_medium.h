// VhdMedium: a fixed VHD image: the bytes of the disk, and a footer of 512 bytes behind them, of older programs 511,
// which stays as it is.
// Format: Virtual Hard Disk Image Format Specification of Microsoft, version 1.0. Thread-safe.
#ifndef RUMPBLK_CORE_IMAGE_VHD_MEDIUM_H_
#define RUMPBLK_CORE_IMAGE_VHD_MEDIUM_H_

#include <memory>
#include <string>
#include <utility>

#include "core/medium/medium.h"

namespace blk {

inline constexpr uint64_t kVhdFooterBytes = 512;

// Whether a file of `file_size` bytes ends with a footer whose checksum holds, of whatever kind of VHD. Errors: the
// medium's.
Result<bool> LooksLikeVhd(Medium& file, uint64_t file_size);

class VhdMedium final : public Medium {
 public:
  // Takes the medium that the image lies in. Errors: EINVAL no VHD, or a footer that contradicts the size · ENOTSUP a
  // VHD that is not fixed; with a Why · the medium's.
  static Result<std::unique_ptr<Medium>> Create(std::unique_ptr<Medium> file);

  const std::string& name() const override { return file_->name(); }
  MediumIdentity identity() const override;
  std::optional<uint64_t> size() const override { return size_; }
  uint64_t sector_size() const override { return kDevBsize; }
  Result<uint64_t> SizeNow() override;
  Status Read(MediumOffset at, void* data, size_t size) override { return file_->Read(at, data, size); }
  Result<std::unique_ptr<Channel>> Attach(const Attachment& wanted) override;
  Status Detach(const Attachment& wanted) override { return file_->Detach(Below(wanted)); }
  Result<std::unique_ptr<Medium>> Again() override {
    auto file = file_->Again();
    if (!file.ok()) return file;
    return std::unique_ptr<Medium>(new VhdMedium(file.Take(), size_));
  }
  int Holder(const Attachment& wanted) override { return file_->Holder(Below(wanted)); }
  Status Close() override { return file_->Close(); }

 private:
  VhdMedium(std::unique_ptr<Medium> file, uint64_t size) : file_(std::move(file)), size_(size) {}

  // A lock on the disk is one on all of the image, footer included.
  static Attachment Below(Attachment wanted) {
    wanted.range.end.value += kVhdFooterBytes;
    return wanted;
  }

  const std::unique_ptr<Medium> file_;
  const uint64_t size_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_VHD_MEDIUM_H_
