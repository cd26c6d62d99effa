// Freeze points of OverlayStore: where all of an overlay changes at once; and what has changed.
#include <algorithm>
#include <cstring>
#include <utility>

#include "core/medium/overlay_diff.h"
#include "core/medium/overlay_store.h"

namespace blk {
Status OverlayStore::Reset() {
  std::shared_ptr<OverlayLayer> dropped;
  MutexLock lock(changes_);
  const FreezeGate::Frozen frozen(gate_);
  top_->Empty(blocks_);
  dropped = std::exchange(top_->below, nullptr);
  return Status::Ok();
}

Result<std::shared_ptr<OverlayLayer>> OverlayStore::Seal() {
  {
    const FreezeGate::Frozen frozen(gate_);
    if (top_->map.touched().end == 0) return top_->below;
  }
  auto delta = OverlayDelta::Create(delta_, blocks_.size);
  if (!delta.ok()) return delta.status();
  auto fresh = std::make_shared<OverlayLayer>(delta.Take(), blocks_);
  const FreezeGate::Frozen frozen(gate_);
  fresh->below = std::move(top_);
  top_ = std::move(fresh);
  return top_->below;
}

Result<OverlaySnapshot> OverlayStore::Snapshot() {
  MutexLock lock(changes_);
  auto layer = Seal();
  if (!layer.ok()) return layer.status();
  return OverlaySnapshot{layer.Take(), content_};
}

Status OverlayStore::Revert(const OverlaySnapshot& snapshot) {
  std::shared_ptr<OverlayLayer> dropped;
  MutexLock lock(changes_);
  if (snapshot.base != content_) return {ESTALE, Op::kOpen};
  const FreezeGate::Frozen frozen(gate_);
  top_->Empty(blocks_);
  dropped = std::exchange(top_->below, snapshot.layer);
  return Status::Ok();
}

Result<bool> OverlayStore::IsZero(const OverlayLayer* from, uint64_t at, uint64_t end) const {
  const auto bytes = StepBuffer(std::min(kOverlayStep, end - at));
  while (at < end) {
    const auto part = static_cast<size_t>(std::min(kOverlayStep, end - at));
    const Moved moved = ReadFrom(from, at, bytes.get(), part, {});
    if (!moved.status.ok()) return moved.status;
    if (!AllZero(bytes.get(), part)) return false;
    at += part;
  }
  return true;
}

Status OverlayStore::CheckFits(const OverlayLayer* from) const {
  for (uint64_t block = blocks_.At(base_.size()); block < blocks_.count();) {
    const Run run = RunAt(from, block, blocks_.count());
    if (run.state == BlockState::kWritten) {
      const auto zero = IsZero(from, std::max(blocks_.Begin(block), base_.size()), blocks_.End(run.end));
      if (!zero.ok()) return zero.status();
      if (!zero.value()) return {ENOSPC, Op::kPwrite, Why::kOverlayBehindBase};
    }
    block = run.end;
  }
  return Status::Ok();
}

// The layers that are written out do not change any more, and stay over the base until all of it is there: whoever
// reads meanwhile reads what they say.
Result<uint64_t> OverlayStore::Commit(const std::atomic<bool>* cancel) {
  std::shared_ptr<OverlayLayer> sealed;
  MutexLock lock(changes_);
  auto writer = OverlayBase::Writer::Open(base_);
  if (!writer.ok()) return OfBase(writer.status());
  auto below = Seal();
  if (!below.ok()) return below.status();
  sealed = below.Take();
  const Status fits = CheckFits(sealed.get());
  if (!fits.ok()) return fits;
  PieceRules rules;
  rules.cancel = cancel;
  const auto bytes = StepBuffer(kOverlayStep);
  uint64_t written = 0;
  for (uint64_t at = 0; at < base_.size();) {
    if (IsCancelled(cancel)) return Status{ECANCELED, Op::kPwrite};
    const Run run = RunAt(sealed.get(), blocks_.At(at), blocks_.EndAt(base_.size()));
    const uint64_t end = std::min(blocks_.End(run.end), base_.size());
    Moved moved{static_cast<size_t>(end - at), Status::Ok()};
    if (run.state == BlockState::kZero) {
      moved = writer.value().Zero(at, end - at, rules);
      moved.status = OfBase(moved.status);
    }
    if (run.state == BlockState::kWritten) {
      const auto part = static_cast<size_t>(std::min(kOverlayStep, end - at));
      moved = ReadFrom(run.layer, at, bytes.get(), part, rules);
      if (moved.status.ok()) {
        moved = writer.value().Write(at, bytes.get(), part, rules);
        moved.status = OfBase(moved.status);
      }
    }
    if (!moved.status.ok()) return moved.status;
    if (run.state != BlockState::kBelow) written += moved.bytes;
    at += moved.bytes;
  }
  const Status synced = writer.value().Sync();
  // A failure of either keeps what the overlay has: it can be committed again.
  const Status closed = synced.ok() ? writer.value().Close() : synced;
  if (!closed.ok()) return OfBase(closed);
  const FreezeGate::Frozen frozen(gate_);
  top_->below.reset();
  content_++;
  return written;
}

Status OverlayStore::Rebase(std::unique_ptr<Medium> base, const std::string& name, bool safe) {
  static_cast<void>(name);  // of an image's
  const auto bytes = base->size();
  if (!bytes) return {EINVAL, Op::kOpen};
  return Rebase(OverlayBase(std::move(base), {0}, *bytes), safe);
}

namespace {

// Is listed beside an overlay that another base is about to be laid under.
constexpr uint64_t kBeingRebased = 1;

}  // namespace

void OverlayStore::AddBelow(std::vector<MediumIdentity>& found) {
  const FreezeGate::Pass pass(gate_);
  if (rebasing_.load())
    found.push_back({MediumKind::kOverlay, IdentityOf(MediumKind::kOverlay, *this).device, kBeingRebased});
  base_.AddBelow(found);
}

Status OverlayStore::CheckNotBelow(OverlayBase& base) {
  std::vector<MediumIdentity> below;
  base.AddBelow(below);
  const MediumIdentity own = IdentityOf(MediumKind::kOverlay, *this);
  Status status = Status::Ok();
  for (const MediumIdentity& found : below) {
    if (found == own) return {ELOOP, Op::kOpen, Why::kOverlayLoop};
    if (found.kind == MediumKind::kOverlay && found.inode == kBeingRebased) status = {EBUSY, Op::kOpen};
  }
  return status;
}

Status OverlayStore::Rebase(OverlayBase base, bool safe) {
  OverlayBase dropped;
  MutexLock lock(changes_);
  Status status = base.Open(blocks_.size);
  // Before its bytes are read: what lies over itself has none.
  if (status.ok()) status = CheckNotBelow(base);
  if (status.ok() && safe) status = KeepDifferences(base);
  if (!status.ok()) return status;
  // Of two that would become the base of one another, each says so before it looks: one of them sees the other.
  const Rebasing rebasing(rebasing_);
  status = CheckNotBelow(base);
  if (!status.ok()) return status;
  const FreezeGate::Frozen frozen(gate_);
  dropped = std::move(base_);
  base_ = std::move(base);
  content_++;
  return Status::Ok();
}

// Requests go on meanwhile: a block that they change is the top layer's, and no base matters to it any more.
Status OverlayStore::KeepDifferences(const OverlayBase& base) {
  const uint64_t block_size = uint64_t{1} << blocks_.shift;
  const auto mine = StepBuffer(kOverlayStep), others = StepBuffer(kOverlayStep);
  for (uint64_t at = 0; at < blocks_.size;) {
    const Run run = RunAt(top_.get(), blocks_.At(at), blocks_.count());
    const MediumSpan span{{at}, {blocks_.End(run.end)}};
    if (run.state != BlockState::kBelow) {
      at = span.end.value;
      continue;
    }
    // On to where one of the two has something.
    const uint64_t next = std::min(base_.NextData(span).begin.value, base.NextData(span).begin.value);
    if (next >= span.end.value) {
      at = span.end.value;
      continue;
    }
    at = std::max(at, AlignDown(next, block_size));
    const auto part = static_cast<size_t>(std::min(kOverlayStep, span.end.value - at));
    Moved moved = base_.Read(at, mine.get(), part, {});
    if (moved.status.ok()) moved = base.Read(at, others.get(), part, {});
    if (!moved.status.ok()) return moved.status;
    for (size_t i = 0; i < part; i += block_size) {
      const size_t size = std::min<size_t>(block_size, part - i);
      if (std::memcmp(mine.get() + i, others.get() + i, size) == 0) continue;
      const Status kept = KeepBlock(blocks_.At(at + i));
      if (!kept.ok()) return kept;
    }
    at += part;
  }
  return Status::Ok();
}

Status OverlayStore::KeepBlock(uint64_t block) {
  MutexLock lock(RegionOf(block));
  if (RunAt(top_.get(), block, block + 1).state != BlockState::kBelow) return Status::Ok();
  return WritePart(block, blocks_.Begin(block), nullptr, 0);
}

Result<Overlay::Changed> OverlayStore::Diff(uint64_t from, bool exact, std::span<MediumExtent> found) {
  const FreezeGate::Pass pass(gate_);
  Changed changed;
  changed.next = from;
  while (changed.next < blocks_.size && changed.count < found.size() && changed.next - from < kMostCompared) {
    Run run = RunAt(top_.get(), blocks_.At(changed.next), blocks_.count());
    if (run.state == BlockState::kBelow) {
      // Not compared: no reason to stop.
      from += blocks_.End(run.end) - changed.next;
      changed.next = blocks_.End(run.end);
    } else if (exact) {
      run.end = std::min(run.end, blocks_.EndAt(std::min(changed.next + kOverlayStep, blocks_.size)));
      const Status status = AddDiffering(run, changed.next, found, &changed);
      if (!status.ok()) return status;
    } else {
      const auto type = run.state == BlockState::kWritten ? ExtentType::kData : ExtentType::kHole;
      found[changed.count++] = {{changed.next}, blocks_.End(run.end) - changed.next, type, 0, kNoHostOffset};
      from += blocks_.End(run.end) - changed.next;
      changed.next = blocks_.End(run.end);
    }
  }
  return changed;
}

Status OverlayStore::AddDiffering(const Run& run, uint64_t from, std::span<MediumExtent> found,
                                  Changed* changed) const {
  const auto type = run.state == BlockState::kWritten ? ExtentType::kData : ExtentType::kHole;
  const uint64_t size = blocks_.End(run.end) - from;
  const auto mine = StepBuffer(size), others = StepBuffer(size);
  Moved moved = base_.Read(from, others.get(), static_cast<size_t>(size), {});
  if (moved.status.ok() && type == ExtentType::kHole) std::memset(mine.get(), 0, static_cast<size_t>(size));
  if (moved.status.ok() && type == ExtentType::kData) {
    moved = ReadFrom(run.layer, from, mine.get(), static_cast<size_t>(size), {});
  }
  if (!moved.status.ok()) return moved.status;
  AddDifferences(from, size, uint64_t{1} << blocks_.shift, type, mine.get(), others.get(), found, changed);
  return Status::Ok();
}

}  // namespace blk
