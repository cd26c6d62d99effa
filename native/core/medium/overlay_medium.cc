#include "core/medium/overlay_medium.h"

namespace blk {
namespace {

// Of an overlay that is gone.
class GoneChannel final : public Channel {
 public:
  Moved Read(MediumOffset, void*, size_t, const PieceRules&) override { return {0, {EBADF, Op::kPread}}; }
  Moved Write(MediumOffset, const void*, size_t, const PieceRules&) override { return {0, {EBADF, Op::kPwrite}}; }
  Status Sync() override { return Status::Ok(); }
};

}  // namespace

std::unique_ptr<Channel> OverlayMedium::MakeChannel() {
  if (!joined_) return std::make_unique<GoneChannel>();
  return overlay_->MakeChannel(overlay_);
}

}  // namespace blk
