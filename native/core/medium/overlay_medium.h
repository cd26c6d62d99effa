// OverlayMedium: an overlay (overlay_store.h) as a medium, with locks among those that were made of the same one. A
// sync has nothing to do: nothing of it outlives the process. Thread-safe.
#ifndef RUMPBLK_CORE_MEDIUM_OVERLAY_MEDIUM_H_
#define RUMPBLK_CORE_MEDIUM_OVERLAY_MEDIUM_H_

#include <memory>
#include <utility>

#include "core/medium/overlay_store.h"
#include "core/medium/volatile_medium.h"

namespace blk {

class OverlayMedium final : public VolatileMedium {
 public:
  // One of a store that all have left is as good as closed: its channels answer EBADF.
  explicit OverlayMedium(std::shared_ptr<OverlayStore> store)
      : VolatileMedium(MediumKind::kOverlay, store), overlay_(std::move(store)), joined_(overlay_->Join()) {}
  ~OverlayMedium() override { Leave(); }
  OverlayMedium(const OverlayMedium&) = delete;
  OverlayMedium& operator=(const OverlayMedium&) = delete;

  Status Close() override {
    Leave();
    return Status::Ok();
  }
  Result<std::unique_ptr<Medium>> Again() override {
    return std::unique_ptr<Medium>(std::make_unique<OverlayMedium>(overlay_));
  }

 private:
  std::unique_ptr<Channel> MakeChannel() override;

  void Leave() {
    if (std::exchange(joined_, false)) overlay_->Leave();
  }

  const std::shared_ptr<OverlayStore> overlay_;
  bool joined_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_OVERLAY_MEDIUM_H_
