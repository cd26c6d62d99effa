// OverlayStore: its channels.
#include <utility>

#include "core/medium/overlay_store.h"

namespace blk {
namespace {

class OverlayChannel final : public Channel {
 public:
  explicit OverlayChannel(std::shared_ptr<OverlayStore> store) : store_(std::move(store)) {}

  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) override {
    return store_->Read(at, data, size, rules);
  }
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) override {
    return store_->Write(at, data, size, rules);
  }
  // A granule is a block. It becomes zeros and not the base's again, which nobody who discarded it has seen for long.
  Moved Discard(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    if (IsCancelled(rules.cancel)) return {0, {ECANCELED, Op::kDiscard}};
    static_cast<void>(store_->ZeroBlocks(at.value, at.value + size));
    return {static_cast<size_t>(size), Status::Ok()};
  }
  Moved Zero(MediumOffset at, uint64_t size, const PieceRules& rules) override {
    if (IsCancelled(rules.cancel)) return {0, {ECANCELED, Op::kZero}};
    // Room is taken by writing.
    const MediumSpan whole = rules.keep_room ? MediumSpan{} : store_->ZeroBlocks(at.value, at.value + size);
    if (whole.empty()) return Channel::Zero(at, size, rules);
    PieceRules parts = rules;
    parts.fast = false;
    const uint64_t head = whole.begin.value - at.value, tail = at.value + size - whole.end.value;
    Moved moved = Channel::Zero(at, head, parts);
    if (!moved.status.ok()) return moved;
    moved = Channel::Zero(whole.end, tail, parts);
    return {static_cast<size_t>(size - tail + moved.bytes), moved.status};
  }
  void Prefetch(MediumOffset at, uint64_t size) noexcept override { store_->Prefetch(at.value, size); }
  Status Sync() override { return Status::Ok(); }
  MediumFeatures Features() override { return {true, true, true, false, store_->block_size(), 1}; }
  MediumSpan NextData(MediumSpan within) override { return store_->NextData(within); }
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                         const PieceRules& rules) override {
    return store_->Extents(within, layer, found, rules);
  }

 private:
  const std::shared_ptr<OverlayStore> store_;
};

}  // namespace

std::unique_ptr<Channel> OverlayStore::MakeChannel(const std::shared_ptr<Overlay>& overlay) {
  return std::make_unique<OverlayChannel>(std::static_pointer_cast<OverlayStore>(overlay));
}

}  // namespace blk
