// OverlayStore: an overlay: changes to a base that is only read. Each block is the base's, or a layer's, or zeros
// (block_map.h); a write goes to the top layer, at the same place. Shared by the media of one identity
// (overlay_medium.h). At a freeze point all of it changes at once: requests under way end before, and what comes waits.
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

#include "core/base/sync.h"
#include "core/medium/extent.h"
#include "core/medium/freeze_gate.h"
#include "core/medium/overlay_base.h"
#include "core/medium/overlay_layer.h"
#include "core/medium/volatile_medium.h"

namespace blk {

inline constexpr uint64_t kLeastOverlayBlock = 512, kMostOverlayBlock = uint64_t{1} << 20;

struct OverlaySetting {
  uint64_t block = 4096;         // bytes, a power of two from kLeastOverlayBlock to kMostOverlayBlock
  std::optional<uint64_t> size;  // bytes; default those of the base, behind whose end it reads zeros
  uint64_t sector = kDevBsize;   // what tables on it count in
  DeltaKind delta;
};

// What an overlay was when it was taken. It lasts as long as somebody has it, whatever becomes of the overlay; of use
// only to that one.
struct OverlaySnapshot {
  std::shared_ptr<OverlayLayer> layer;  // the top one then; null: nothing had changed
  uint64_t base = 0;                    // which content of the base it lies over
};

class OverlayStore final : public VolatileStore {
 public:
  // Attaches the base and makes an empty overlay over it. Errors: EINVAL a size smaller than the base's · those of
  // OverlayBase::Open() and OverlayDelta::Create().
  static Result<std::shared_ptr<OverlayStore>> Create(OverlayBase base, std::string name,
                                                      const OverlaySetting& setting);

  // Whoever made it and each medium of it that is not closed are its users. The last one to leave lets go of the base
  // and of all that was written; objects of closed devices may have the store for long after that.
  // -> false when the last one has left. Thread: any.
  bool Join();
  void Leave();

  // Bytes of a block. Fixed.
  uint64_t block_size() const { return uint64_t{1} << blocks_.shift; }

  // As Channel has them.   REQUIRES: a user, for whom nobody else leaves meanwhile; so of all that follows.
  Moved Read(MediumOffset at, void* data, size_t size, const PieceRules& rules);
  Moved Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules);
  // Makes the whole blocks of [from, end) zeros, which never show the base again. -> those.
  MediumSpan ZeroBlocks(uint64_t from, uint64_t end);
  Result<size_t> Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found, const PieceRules& rules);
  MediumSpan NextData(MediumSpan within);
  void Prefetch(uint64_t at, uint64_t size) noexcept;

  // Freeze points.
  // All is the base's again.
  void Reset() EXCLUDES(changes_);
  // Takes what it is now. Costs a layer, and nothing where nothing has changed since the last one.
  // Errors: those of OverlayDelta::Create().
  Result<OverlaySnapshot> Snapshot() EXCLUDES(changes_);
  // Makes it what it was.   Errors: ESTALE the base has been committed to, or is another one, since.
  // REQUIRES: it is one of this overlay.
  Status Revert(const OverlaySnapshot& snapshot) EXCLUDES(changes_);
  // Writes what has changed into the base, makes that durable, and goes on empty. Requests go on meanwhile, and what
  // they write stays in the overlay. Interrupted it leaves the overlay as it was, and some of the base new: again, it
  // writes the same. Snapshots that were taken before are of no use after. -> bytes written.
  // Errors: EBUSY somebody else has the base, another overlay say · EACCES, EROFS · ENOSPC what was written lies behind
  // the end of the base, which is untouched · ECANCELED · those of the base.
  Result<uint64_t> Commit(const std::atomic<bool>* cancel) EXCLUDES(changes_);
  // Lies over another base from here on; snapshots are of no use after. `safe`: reads as before, and for that keeps
  // what the new base has otherwise; else the blocks that were not changed are the new base's.
  // Errors: those of OverlayBase::Open(), of reading both, and of writing; then all is as it was.
  Status Rebase(OverlayBase base, bool safe) EXCLUDES(changes_);

  // What has changed, from `from` on, as kData and kHole; `exact`: only blocks whose bytes are not the base's. Of this
  // moment. Errors: those of the base.
  struct Changed {
    size_t count = 0;   // of `found` that were filled in; may be 0 although there is more
    uint64_t next = 0;  // where to go on; the overlay's size: there are no more
  };
  Result<Changed> Diff(uint64_t from, bool exact, std::span<MediumExtent> found);

 private:
  // Blocks side by side that are in one state, by whichever layer: it ends at `end`. `layer` has it; null: the base.
  struct Run {
    BlockState state = BlockState::kBelow;
    uint64_t end = 0;
    const OverlayLayer* layer = nullptr;
  };

  OverlayStore(OverlayBase base, std::string name, const OverlaySetting& setting, const OverlayBlocks& blocks,
               std::unique_ptr<OverlayLayer> top);

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
  // Keeps what reads otherwise over `base`.
  Status KeepDifferences(const OverlayBase& base) REQUIRES(changes_);
  Status KeepBlock(uint64_t block);
  // Those blocks in [from, end), which are in one state, whose bytes are not the base's.
  Status AddDifferences(const Run& run, uint64_t from, std::span<MediumExtent> found, Changed* changed) const;
  Mutex& RegionOf(uint64_t block) { return regions_[block / BlockMap::kBlocksPerWord % regions_.size()]; }

  const OverlayBlocks blocks_;
  const DeltaKind delta_;

  std::atomic<uint32_t> users_{1};
  Mutex changes_;  // held by whoever changes all of it
  FreezeGate gate_;
  std::array<Mutex, 64> regions_;
  // What lies below: looked at in a pass, or by whoever has changes_; changed while frozen.
  OverlayBase base_;
  std::shared_ptr<OverlayLayer> top_;
  uint64_t content_ GUARDED_BY(changes_) = 0;  // of the base: another number, another content
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_OVERLAY_STORE_H_
