// Freeze points of Qcow2Overlay: where all of an overlay changes at once; and what has changed.
#include <algorithm>
#include <cstring>
#include <utility>

#include "core/image/qcow2_overlay.h"
#include "core/medium/overlay_diff.h"

namespace blk {

Status Qcow2Overlay::Reset() {
  MutexLock lock(changes_);
  const FreezeGate::Frozen frozen(gate_);
  return writer_->Empty();
}

Result<OverlaySnapshot> Qcow2Overlay::Snapshot() { return Status{ENOTSUP, Op::kOpen, Why::kOverlaySnapshots}; }

Status Qcow2Overlay::Revert(const OverlaySnapshot& snapshot) {
  return static_cast<void>(snapshot), Status{ENOTSUP, Op::kOpen, Why::kOverlaySnapshots};
}

Status Qcow2Overlay::CheckFits(MediumSpan span) {
  const auto bytes = StepBuffer(kOverlayStep);
  for (uint64_t at = std::max(span.begin.value, image_->backing()->size()); at < span.end.value;) {
    const auto run = RunAt(at, span.end.value);
    if (!run.ok()) return run.status();
    uint64_t part = run.value().size;
    if (run.value().kind == RunKind::kData || run.value().kind == RunKind::kCompressed) {
      part = std::min(kOverlayStep, part);
      const Moved moved = ReadTop(at, bytes.get(), static_cast<size_t>(part));
      if (!moved.status.ok()) return moved.status;
      if (!AllZero(bytes.get(), static_cast<size_t>(part))) return {ENOSPC, Op::kPwrite, Why::kOverlayBehindBase};
    }
    at += part;
  }
  return Status::Ok();
}

// What another one writes behind a look at it is marked, and copied again.
Result<uint64_t> Qcow2Overlay::CopyDown(Channel& base, MediumSpan span, const std::atomic<bool>* cancel) {
  const auto bytes = StepBuffer(kOverlayStep);
  const uint64_t end = std::min(span.end.value, image_->backing()->size());
  uint64_t copied = 0;
  for (uint64_t at = span.begin.value; at < end;) {
    if (IsCancelled(cancel)) return Status{ECANCELED, Op::kPwrite};
    const auto found = RunAt(at, end);
    if (!found.ok()) return found.status();
    const Qcow2Run& run = found.value();
    Moved moved{static_cast<size_t>(run.size), Status::Ok()};
    if (run.kind == RunKind::kZero) {
      moved = base.Zero({at}, run.size, {});
      moved.status = OfBase(moved.status);
    }
    if (run.kind == RunKind::kData || run.kind == RunKind::kCompressed) {
      const auto part = static_cast<size_t>(std::min(kOverlayStep, run.size));
      moved = ReadTop(at, bytes.get(), part);
      if (moved.status.ok()) {
        moved = base.Write({at}, bytes.get(), part, {});
        moved.status = OfBase(moved.status);
      }
    }
    if (!moved.status.ok()) return moved.status;
    if (run.kind != RunKind::kBacking) copied += moved.bytes;
    at += moved.bytes;
  }
  return copied;
}

// The base has all of it, durably, before the image loses any.
Result<uint64_t> Qcow2Overlay::Finish(Backing::Writer& writer) {
  Channel& base = writer.channel();
  uint64_t copied = 0;
  for (MediumSpan span = marks_->Next(0); !span.empty(); span = marks_->Next(span.end.value)) {
    const Status fits = CheckFits(span);
    if (!fits.ok()) return fits;
    const auto more = CopyDown(base, span, nullptr);
    if (!more.ok()) return more.status();
    copied += more.value();
  }
  const Status synced = copied > 0 ? base.Sync() : Status::Ok();
  const Status closed = synced.ok() ? writer.Close() : synced;
  if (!closed.ok()) return OfBase(closed);
  const Status emptied = writer_->Empty();
  if (!emptied.ok()) return emptied;
  return copied;
}

Result<uint64_t> Qcow2Overlay::Commit(const std::atomic<bool>* cancel) {
  MutexLock lock(changes_);
  if (size == 0) return uint64_t{0};
  const auto writer = Backing::Writer::Open(*image_->backing());
  if (!writer.ok()) return OfBase(writer.status());
  Channel& base = writer.value()->channel();
  {
    const FreezeGate::Frozen frozen(gate_);
    const Status fits = CheckFits({{0}, {size}});
    if (!fits.ok()) return fits;
    marks_.emplace(size);
  }
  auto copied = CopyDown(base, {{0}, {size}}, cancel);
  // Most of it is on the disk before requests have to wait.
  const Status synced = copied.ok() ? OfBase(base.Sync()) : copied.status();
  const FreezeGate::Frozen frozen(gate_);
  auto rest = synced.ok() ? Finish(*writer.value()) : Result<uint64_t>(synced);
  marks_.reset();
  if (!rest.ok()) return rest;
  return copied.value() + rest.value();
}

// By its name, as whoever opens the image next does; but for an export, which that one brings along.
Result<std::unique_ptr<Backing>> Qcow2Overlay::NewBacking(std::unique_ptr<Medium> base, const Qcow2Header& header) {
  const MediumIdentity identity = base->identity();
  if (IsExport(identity)) return Backing::Take({header.backing, std::move(base)}, header, {}, true);
  const Status closed = base->Close();
  if (!closed.ok()) return closed;
  auto opened = Backing::Open(host_, file_->name(), header, ChainOver(*file_), true);
  if (opened.ok() && !(opened.value()->medium().identity() == identity)) {
    return Status{ESTALE, Op::kOpen, Why::kOverlayOtherBase};
  }
  return opened;
}

Status Qcow2Overlay::Rebase(std::unique_ptr<Medium> base, const std::string& name, bool safe) {
  std::unique_ptr<Backing> fresh;
  MutexLock lock(changes_);
  if (!HasName(base->identity())) {
    const Status closed = base->Close();
    return closed.ok() ? Status{ENOTSUP, Op::kOpen, Why::kOverlayBase} : closed;
  }
  Qcow2Header header = image_->header();
  header.backing = name;
  header.backing_format = FormatName(base->identity());
  auto opened = NewBacking(std::move(base), header);
  if (!opened.ok()) return opened.status();
  fresh = opened.Take();
  const Status kept = safe ? KeepDifferences(*fresh) : Status::Ok();
  if (!kept.ok()) return kept;
  const FreezeGate::Frozen frozen(gate_);
  const Status renamed = writer_->Rename(header.backing, header.backing_format);
  if (renamed.ok()) image_->SetBacking(std::move(fresh), header.backing, header.backing_format);
  return renamed;
}

// Requests go on meanwhile: a unit that they change is this layer's, and no base matters to it any more.
Status Qcow2Overlay::KeepDifferences(Backing& base) {
  const uint64_t most = std::max(kOverlayStep, unit_);
  const auto mine = StepBuffer(most), others = StepBuffer(most);
  for (uint64_t at = 0; at < size;) {
    const auto run = RunAt(at, size);
    if (!run.ok()) return run.status();
    const MediumSpan span{{at}, {at + run.value().size}};
    // On to where one of the two has something.
    const uint64_t next = std::min(image_->backing()->NextData(span).begin.value, base.NextData(span).begin.value);
    if (run.value().kind != RunKind::kBacking || next >= span.end.value) {
      at = span.end.value;
      continue;
    }
    at = std::max(at, AlignDown(next, unit_));
    const auto part = static_cast<size_t>(std::min(most, span.end.value - at));
    Moved moved = image_->backing()->Read(at, mine.get(), part, {});
    if (moved.status.ok()) moved = base.Read(at, others.get(), part, {});
    if (!moved.status.ok()) return moved.status;
    for (size_t i = 0, end = 0; i < part; i = end) {
      const auto unit = static_cast<size_t>(unit_);
      const auto differs = [&](size_t from) {
        return std::memcmp(mine.get() + from, others.get() + from, std::min(unit, part - from)) != 0;
      };
      const bool keep = differs(i);
      for (end = i; end < part && differs(end) == keep;) end = std::min(end + unit, part);
      const Status kept = keep ? KeepStretch(at + i, at + end, mine.get() + i) : Status::Ok();
      if (!kept.ok()) return kept;
    }
    at += part;
  }
  return Status::Ok();
}

Status Qcow2Overlay::KeepStretch(uint64_t at, uint64_t end, const uint8_t* bytes) {
  const FreezeGate::Frozen frozen(gate_);
  while (at < end) {
    const auto run = RunAt(at, end);
    if (!run.ok()) return run.status();
    const auto part = static_cast<size_t>(run.value().size);
    if (run.value().kind == RunKind::kBacking) {
      // Behind the end of the old base zeros are there by nothing, and would be the new one's: they are written.
      const bool shown = at + part <= image_->backing()->size();
      const Moved moved = shown && AllZero(bytes, part) ? writer_->Zero(*channel_, at, part, {})
                                                        : writer_->Write(*channel_, at, bytes, part, {});
      if (!moved.status.ok()) return moved.status;
    }
    at += part;
    bytes += part;
  }
  return Status::Ok();
}

Result<Overlay::Changed> Qcow2Overlay::Diff(uint64_t from, bool exact, std::span<MediumExtent> found) {
  const FreezeGate::Pass pass(gate_);
  Changed changed;
  changed.next = from;
  uint64_t compared = 0;
  while (changed.next < size && compared < kMostCompared) {
    const uint64_t at = changed.next;
    const auto run = RunAt(at, size);
    if (!run.ok()) return run.status();
    const auto type = run.value().kind == RunKind::kZero ? ExtentType::kHole : ExtentType::kData;
    if (run.value().kind == RunKind::kBacking) {
      changed.next += run.value().size;
    } else if (exact) {
      const uint64_t most = std::max(kOverlayStep, unit_);
      const uint64_t part = std::min(run.value().size, AlignDown(at, unit_) + most - at);
      const Status status = AddDiffering(at, part, type, found, &changed);
      if (!status.ok()) return status;
      if (changed.next < at + part) break;  // it is full
      compared += part;
    } else {
      if (!AddChanged(at, run.value().size, type, found, &changed)) break;
      changed.next += run.value().size;
    }
  }
  return changed;
}

Status Qcow2Overlay::AddDiffering(uint64_t at, uint64_t length, ExtentType type, std::span<MediumExtent> found,
                                  Changed* changed) {
  const auto mine = StepBuffer(length), others = StepBuffer(length);
  Moved moved = image_->backing()->Read(at, others.get(), static_cast<size_t>(length), {});
  if (moved.status.ok()) moved = ReadTop(at, mine.get(), static_cast<size_t>(length));
  if (!moved.status.ok()) return moved.status;
  AddDifferences(at, length, unit_, type, mine.get(), others.get(), found, changed);
  return Status::Ok();
}

}  // namespace blk
