// OverlayMedium: an overlay as a medium, with locks among those that were made of the same one. Thread-safe.
#ifndef RUMPBLK_CORE_MEDIUM_OVERLAY_MEDIUM_H_
#define RUMPBLK_CORE_MEDIUM_OVERLAY_MEDIUM_H_

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/medium/overlay.h"
#include "core/medium/volatile_medium.h"

namespace blk {

class OverlayMedium final : public VolatileMedium {
 public:
  // One of a store that all have left is as good as closed: its channels answer EBADF.
  explicit OverlayMedium(std::shared_ptr<Overlay> store)
      : VolatileMedium(MediumKind::kOverlay, store), overlay_(std::move(store)), joined_(overlay_->Join()) {}
  // Whoever wants to know how letting go went calls Close().
  ~OverlayMedium() override { static_cast<void>(Leave()); }
  OverlayMedium(const OverlayMedium&) = delete;
  OverlayMedium& operator=(const OverlayMedium&) = delete;

  // Errors: of the last one, those of Overlay::Leave().
  Status Close() override { return Leave(); }
  void AddBelow(std::vector<MediumIdentity>& found) override { overlay_->AddBelow(found); }
  std::optional<MediumIdentity> Scattered() const override { return overlay_->Scattered(); }
  Result<std::unique_ptr<Medium>> Again() override {
    return std::unique_ptr<Medium>(std::make_unique<OverlayMedium>(overlay_));
  }

  Result<std::shared_ptr<KeptChanges>> KeepChanges(const std::string& name, std::optional<unsigned> shift) override {
    static_cast<void>(name), static_cast<void>(shift);
    return Status{ENOTSUP, Op::kTrack, Why::kOverlayBitmaps};
  }

 private:
  std::unique_ptr<Channel> MakeChannel() override;

  Status Leave() { return std::exchange(joined_, false) ? overlay_->Leave() : Status::Ok(); }

  const std::shared_ptr<Overlay> overlay_;
  bool joined_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_OVERLAY_MEDIUM_H_
