// OverlayStore: an overlay that ends with the process. Each block is the base's, or a layer's, or zeros (block_map.h);
// a write goes to the top layer, at the same place.
// Thread-safe. Reads take no lock. What changes the state of blocks has their region's lock, of 32 blocks each: a write
// to blocks that the top layer has already takes none. Lock order: changes_, the gate, one region, the base's.
// Nothing of it is durable: it is gone with its last reference.
#ifndef RUMPBLK_CORE_MEDIUM_OVERLAY_STORE_H_
#define RUMPBLK_CORE_MEDIUM_OVERLAY_STORE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/sync.h"
#include "core/medium/extent.h"
#include "core/medium/freeze_gate.h"
#include "core/medium/overlay.h"
#include "core/medium/overlay_base.h"
#include "core/medium/overlay_layer.h"

namespace blk {

inline constexpr uint64_t kLeastOverlayBlock = 512, kMostOverlayBlock = uint64_t{1} << 20;

struct OverlaySetting {
  uint64_t block = 4096;         // bytes, a power of two from kLeastOverlayBlock to kMostOverlayBlock
  std::optional<uint64_t> size;  // bytes; default those of the base, behind whose end it reads zeros
  uint64_t sector = kDevBsize;   // what tables on it count in
  DeltaKind delta;
};

class OverlayStore final : public Overlay {
 public:
  // Attaches the base and makes an empty overlay over it. Errors: EINVAL a size smaller than the base's · those of
  // OverlayBase::Open() and OverlayDelta::Create().
  static Result<std::shared_ptr<OverlayStore>> Create(OverlayBase base, std::string name,
                                                      const OverlaySetting& setting);

  // Bytes of a block. Fixed.
  uint64_t block_size() const { return uint64_t{1} << blocks_.shift; }

  // As Channel has them.   REQUIRES: a user, for whom nobody else leaves meanwhile.
  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules);
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules);
  // Makes the whole blocks of [from, end) zeros, which never show the base again. -> those.
  MediumSpan ZeroBlocks(uint64_t from, uint64_t end);
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found, const PieceRules& rules);
  MediumSpan NextData(MediumSpan within);
  void Prefetch(uint64_t at, uint64_t size) noexcept;

  std::unique_ptr<Channel> MakeChannel(const std::shared_ptr<Overlay>& overlay) override;

  // A snapshot costs a layer, and nothing where nothing has changed since the last one. What requests write while a
  // commit runs stays in the overlay. Snapshots that were taken before a commit, or a rebase, are of no use after it.
  void AddBelow(std::vector<MediumIdentity>& found) override;
  Status Reset() override EXCLUDES(changes_);
  Result<OverlaySnapshot> Snapshot() override EXCLUDES(changes_);
  Status Revert(const OverlaySnapshot& snapshot) override EXCLUDES(changes_);
  Result<uint64_t> Commit(const std::atomic<bool>* cancel) override EXCLUDES(changes_);
  Status Rebase(std::unique_ptr<Medium> base, const std::string& name, bool safe) override EXCLUDES(changes_);
  // Over a range of a medium.
  Status Rebase(OverlayBase base, bool safe) EXCLUDES(changes_);
  Result<Changed> Diff(uint64_t from, bool exact, std::span<MediumExtent> found) override;

 private:
  // Blocks side by side that are in one state, by whichever layer: it ends at `end`. `layer` has it; null: the base.
  struct Run {
    BlockState state = BlockState::kBelow;
    uint64_t end = 0;
    const OverlayLayer* layer = nullptr;
  };

  // Set for a scope.
  struct Rebasing {
    explicit Rebasing(std::atomic<bool>& is) : flag(is) { flag.store(true); }
    ~Rebasing() { flag.store(false); }
    Rebasing(const Rebasing&) = delete;
    Rebasing& operator=(const Rebasing&) = delete;

    std::atomic<bool>& flag;
  };

  OverlayStore(OverlayBase base, std::string name, const OverlaySetting& setting, const OverlayBlocks& blocks,
               std::unique_ptr<OverlayLayer> top);
  Status LetGo() override;

  // The run that begins with `block`, at most up to `end`, as seen from `layer` down.
  static Run RunAt(const OverlayLayer* layer, uint64_t block, uint64_t end);
  // Inside the overlay, from `layer` down.
  Moved ReadFrom(const OverlayLayer* layer, uint64_t at, uint8_t* data, size_t size, const PieceRules& rules) const;
  // Writes inside one region, some blocks of which the top layer may not have.
  Moved WriteRegion(uint64_t at, const uint8_t* data, size_t size, const PieceRules& rules);
  // A part of one block that the top layer has not: with the rest of the block as it reads now.
  // REQUIRES: the region's lock.
  Status WritePart(uint64_t block, uint64_t at, const uint8_t* data, size_t size);
  // Takes the top layer out of use, and puts an empty one on it; nothing of that where it is empty itself. -> what lies
  // below the top then.
  Result<std::shared_ptr<OverlayLayer>> Seal() REQUIRES(changes_);
  // Whether what has changed in [at, end), which lies behind the end of the base, is all zeros.
  Result<bool> IsZero(const OverlayLayer* from, uint64_t at, uint64_t end) const;
  // ENOSPC when the base has no place for what `from` and the layers below it have.
  Status CheckFits(const OverlayLayer* from) const REQUIRES(changes_);
  // ELOOP where reads of `base` may come from this overlay, EBUSY where they may soon: another base is being laid under
  // something of it.   REQUIRES: no freeze of this overlay.
  Status CheckNotBelow(OverlayBase& base);
  // Keeps what reads otherwise over `base`.
  Status KeepDifferences(const OverlayBase& base) REQUIRES(changes_);
  Status KeepBlock(uint64_t block);
  // Those blocks in [from, end), which are in one state, whose bytes are not the base's.
  Status AddDiffering(const Run& run, uint64_t from, std::span<MediumExtent> found, Changed* changed) const;
  Mutex& RegionOf(uint64_t block) { return regions_[block / BlockMap::kBlocksPerWord % regions_.size()]; }

  const OverlayBlocks blocks_;
  const DeltaKind delta_;

  Mutex changes_;  // held by whoever changes all of it
  FreezeGate gate_;
  // Whether another base is about to be laid under it. Sequentially consistent.
  std::atomic<bool> rebasing_{false};
  std::array<Mutex, 64> regions_;
  // What lies below: looked at in a pass, or by whoever has changes_; changed while frozen.
  OverlayBase base_;
  std::shared_ptr<OverlayLayer> top_;
  uint64_t content_ GUARDED_BY(changes_) = 0;  // of the base: another number, another content
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_OVERLAY_STORE_H_
