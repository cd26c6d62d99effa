// Qcow2Medium: a disk that a qcow2 image in another medium holds. Thread-safe.
// Lock order: mu_ is held across attaching and detaching, then the lock of the medium that the image lies in.
#ifndef RUMPBLK_CORE_IMAGE_QCOW2_MEDIUM_H_
#define RUMPBLK_CORE_IMAGE_QCOW2_MEDIUM_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/sync.h"
#include "core/image/backing.h"
#include "core/image/qcow2_bitmaps.h"
#include "core/image/qcow2_image.h"
#include "core/image/qcow2_writer.h"
#include "core/medium/medium.h"

namespace blk {

class Qcow2Medium final : public Medium {
 public:
  // Takes the medium that the image lies in, and reads its header. Errors: those of ReadQcow2Header().
  // `host` outlives it.
  static Result<std::unique_ptr<Medium>> Create(HostIo& host, std::unique_ptr<Medium> file, ImageChain chain);

  const std::string& name() const override { return file_->name(); }
  MediumIdentity identity() const override;
  std::optional<uint64_t> size() const override { return size_; }
  Status Read(MediumOffset at, void* data, size_t size) override EXCLUDES(mu_);
  // Errors: those of the medium below · EROFS an image that is only read · those of Qcow2Image::Create().
  Result<std::unique_ptr<Channel>> Attach(const Attachment& wanted) override EXCLUDES(mu_);
  Status Detach(const Attachment& wanted) override EXCLUDES(mu_);
  void AddBelow(std::vector<MediumIdentity>& found) override EXCLUDES(mu_);
  std::optional<MediumIdentity> Scattered() const override { return file_->identity(); }
  Result<std::unique_ptr<Medium>> Again() override;
  Result<std::shared_ptr<KeptChanges>> KeepChanges(const std::string& name, std::optional<unsigned> shift) override
      EXCLUDES(mu_);
  Result<std::vector<KeptBitmap>> ListKept() override EXCLUDES(mu_);
  Result<bool> RemoveKept(const std::string& name) override EXCLUDES(mu_);
  int Holder(const Attachment& wanted) override { return file_->Holder(Below(wanted)); }
  Status Close() override { return file_->Close(); }

 private:
  Qcow2Medium(HostIo& host, std::unique_ptr<Medium> file, uint64_t size, ImageChain chain)
      : host_(host), file_(std::move(file)), size_(size), chain_(std::move(chain)) {}

  // Any part of the disk may lie anywhere in the file, and so may what an open makes it grow by.
  static Attachment Below(Attachment wanted) {
    wanted.range = {{0}, {kMaxSafeInteger}};
    return wanted;
  }
  // How the tables are written, by no open of their own.
  static Attachment Own() {
    Attachment own = Below({});
    own.write = true;
    return own;
  }
  // Makes what the first writer needs. Errors: those of Qcow2Writer::Create() and Medium::Attach().
  Status BeginWriting() REQUIRES(mu_);
  // Errors: those of Qcow2Writer::End() and Medium::Detach().
  Status EndWriting() REQUIRES(mu_);
  // Counts in an open, once its way to the file is there. Errors: those of Attach().
  Status Join(const Attachment& wanted) REQUIRES(mu_);
  // Reads the image anew. Errors: those of Qcow2Image::Create() · ESTALE it has another size by now.
  Result<std::shared_ptr<Qcow2Image>> OpenImage(bool lock) const;

  HostIo& host_;
  const std::unique_ptr<Medium> file_;
  const uint64_t size_;  // bytes of the disk
  const ImageChain chain_;

  Mutex mu_;
  std::shared_ptr<Qcow2Image> image_ GUARDED_BY(mu_);  // while anything is attached
  uint32_t attached_ GUARDED_BY(mu_) = 0;
  // While anything that writes is attached.
  std::unique_ptr<Channel> own_ GUARDED_BY(mu_);
  std::shared_ptr<Qcow2Writer> writer_ GUARDED_BY(mu_);
  uint32_t writers_ GUARDED_BY(mu_) = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_IMAGE_QCOW2_MEDIUM_H_
