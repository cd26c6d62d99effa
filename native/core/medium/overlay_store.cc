#include "core/medium/overlay_store.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/host/transfer_loop.h"

namespace blk {

Result<std::shared_ptr<OverlayStore>> OverlayStore::Create(OverlayBase base, std::string name,
                                                           const OverlaySetting& setting) {
  OverlayBlocks blocks;
  blocks.size = setting.size.value_or(base.size());
  blocks.shift = static_cast<unsigned>(std::countr_zero(setting.block));
  if (blocks.size < base.size()) return Status{EINVAL, Op::kOpen};
  const Status opened = base.Open(blocks.size);
  if (!opened.ok()) return opened;
  auto delta = OverlayDelta::Create(setting.delta, blocks.size);
  if (!delta.ok()) return delta.status();
  auto top = std::make_unique<OverlayLayer>(delta.Take(), blocks);
  return std::shared_ptr<OverlayStore>(
      new OverlayStore(std::move(base), std::move(name), setting, blocks, std::move(top)));
}

OverlayStore::OverlayStore(OverlayBase base, std::string name, const OverlaySetting& setting,
                           const OverlayBlocks& blocks, std::unique_ptr<OverlayLayer> top)
    : Overlay(blocks.size, std::move(name), setting.sector),
      blocks_(blocks),
      delta_(setting.delta),
      base_(std::move(base)),
      top_(std::move(top)) {}

Status OverlayStore::LetGo() {
  base_.Close();
  top_.reset();
  return Status::Ok();
}

OverlayStore::Run OverlayStore::RunAt(const OverlayLayer* layer, uint64_t block, uint64_t end) {
  for (; layer != nullptr; layer = layer->below.get()) {
    const BlockState state = layer->map.At(block);
    end = layer->map.RunEnd(block, end);
    if (state != BlockState::kBelow) return {state, end, layer};
  }
  return {BlockState::kBelow, end, nullptr};
}

Moved OverlayStore::ReadFrom(const OverlayLayer* layer, uint64_t at, uint8_t* data, size_t size,
                             const PieceRules& rules) const {
  size_t done = 0;
  while (done < size) {
    if (IsCancelled(rules.cancel)) return {done, {ECANCELED, Op::kPread}};
    const uint64_t position = at + done;
    const Run run = RunAt(layer, blocks_.At(position), blocks_.EndAt(at + size));
    const auto part = static_cast<size_t>(std::min(at + size, blocks_.End(run.end)) - position);
    Moved moved{part, Status::Ok()};
    switch (run.state) {
      case BlockState::kWritten: moved = run.layer->bytes().Read({position}, data + done, part, rules); break;
      case BlockState::kZero: std::memset(data + done, 0, part); break;
      case BlockState::kBelow: moved = base_.Read(position, data + done, part, rules); break;
    }
    done += moved.bytes;
    if (!moved.status.ok()) return {done, moved.status};
  }
  return {done, Status::Ok()};
}

Moved OverlayStore::Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) {
  const FreezeGate::Pass pass(gate_, !rules.nowait);
  if (!pass) return {0, {EAGAIN, Op::kPread}};
  const uint64_t rest = at.value < blocks_.size ? blocks_.size - at.value : 0;
  const auto inside = static_cast<size_t>(std::min<uint64_t>(size, rest));
  Moved moved = ReadFrom(top_.get(), at.value, static_cast<uint8_t*>(data), inside, rules);
  // All of it or nothing.
  if (rules.nowait && !moved.status.ok()) moved.bytes = 0;
  if (moved.status.ok() && inside < size) moved.status = {EIO, Op::kPread};
  return moved;
}

Moved OverlayStore::Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) {
  const FreezeGate::Pass pass(gate_);
  const uint64_t rest = at.value < blocks_.size ? blocks_.size - at.value : 0;
  const uint64_t end = at.value + std::min<uint64_t>(size, rest);
  const auto* const bytes = static_cast<const uint8_t*>(data);
  uint64_t position = at.value;
  while (position < end) {
    const auto done = static_cast<size_t>(position - at.value);
    if (IsCancelled(rules.cancel)) return {done, {ECANCELED, Op::kPwrite}};
    const uint64_t block = blocks_.At(position);
    Moved moved;
    if (top_->map.At(block) == BlockState::kWritten) {
      const uint64_t run = top_->map.RunEnd(block, blocks_.EndAt(end));
      const uint64_t part = std::min(end, blocks_.End(run)) - position;
      moved = top_->bytes().Write({position}, bytes + done, static_cast<size_t>(part), rules);
    } else {
      const uint64_t region = AlignDown(block, BlockMap::kBlocksPerWord) + BlockMap::kBlocksPerWord;
      const uint64_t part = std::min(end, blocks_.End(region)) - position;
      moved = WriteRegion(position, bytes + done, static_cast<size_t>(part), rules);
    }
    position += moved.bytes;
    if (!moved.status.ok()) return {static_cast<size_t>(position - at.value), moved.status};
  }
  const auto done = static_cast<size_t>(position - at.value);
  if (done < size) return {done, {EIO, Op::kPwrite}};
  return {done, Status::Ok()};
}

// A block is noted behind its bytes: until then who reads it reads what it was before, all of it.
Moved OverlayStore::WriteRegion(uint64_t at, const uint8_t* data, size_t size, const PieceRules& rules) {
  const uint64_t end = at + size;
  MutexLock lock(RegionOf(blocks_.At(at)));
  uint64_t position = at;
  while (position < end) {
    const auto done = static_cast<size_t>(position - at);
    const uint64_t block = blocks_.At(position);
    const uint64_t next = blocks_.End(block + 1);
    const bool whole = position == blocks_.Begin(block) && next <= end;
    // Of whole ones as many as there are.
    uint64_t part_end = std::min(next, end);
    uint64_t last = block + 1;
    if (whole) {
      last = end == blocks_.size ? blocks_.EndAt(end) : blocks_.At(end);
      part_end = blocks_.End(last);
    }
    const auto part = static_cast<size_t>(part_end - position);
    if (!whole && top_->map.At(block) != BlockState::kWritten) {
      const Status status = WritePart(block, position, data + done, part);
      if (!status.ok()) return {done, status};
      position = part_end;
      continue;
    }
    const Moved moved = top_->bytes().Write({position}, data + done, part, rules);
    if (whole) {
      if (!moved.status.ok()) last = blocks_.At(position + moved.bytes);
      top_->map.Set(block, last, BlockState::kWritten);
    }
    if (!moved.status.ok()) {
      // What came into a block that is not noted is not seen.
      const uint64_t seen = whole ? std::min(position + moved.bytes, blocks_.End(last)) : position + moved.bytes;
      return {static_cast<size_t>(seen - at), moved.status};
    }
    position = part_end;
  }
  return {size, Status::Ok()};
}

Status OverlayStore::WritePart(uint64_t block, uint64_t at, const uint8_t* data, size_t size) {
  const uint64_t begin = blocks_.Begin(block);
  const auto length = static_cast<size_t>(blocks_.End(block + 1) - begin);
  const auto whole = std::make_unique_for_overwrite<uint8_t[]>(length);
  Moved moved = ReadFrom(top_.get(), begin, whole.get(), length, {});
  if (moved.status.ok()) {
    if (size > 0) std::memcpy(whole.get() + (at - begin), data, size);
    moved = top_->bytes().Write({begin}, whole.get(), length, {});
  }
  if (moved.status.ok()) top_->map.Set(block, block + 1, BlockState::kWritten);
  return moved.status;
}

MediumSpan OverlayStore::ZeroBlocks(uint64_t from, uint64_t end) {
  const FreezeGate::Pass pass(gate_);
  const uint64_t first = blocks_.At(from + (uint64_t{1} << blocks_.shift) - 1);
  const uint64_t last = end == blocks_.size ? blocks_.count() : blocks_.At(end);
  if (first >= last) return {};
  const MediumSpan zeros{{blocks_.Begin(first)}, {blocks_.End(last)}};
  for (uint64_t block = first; block < last;) {
    const uint64_t region = AlignDown(block, BlockMap::kBlocksPerWord) + BlockMap::kBlocksPerWord;
    const uint64_t stop = std::min(region, last);
    MutexLock lock(RegionOf(block));
    top_->map.Set(block, stop, BlockState::kZero);
    block = stop;
  }
  // Behind the notes, so that nobody reads what the host leaves there. What others write there meanwhile they write
  // while these zeros are under way: it may come before them.
  top_->Free(zeros);
  return zeros;
}

Result<size_t> OverlayStore::Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                                     const PieceRules& rules) {
  const FreezeGate::Pass pass(gate_);
  const uint64_t end = within.end.value;
  uint64_t position = within.begin.value;
  size_t count = 0;
  while (position < end && count < found.size()) {
    if (IsCancelled(rules.cancel)) return Status{ECANCELED, Op::kStrategy};
    const Run run = RunAt(top_.get(), blocks_.At(position), blocks_.EndAt(end));
    const uint64_t run_end = std::min(end, blocks_.End(run.end));
    if (run.state == BlockState::kBelow && layer == ExtentLayer::kAll) {
      const auto listed = base_.Extents({{position}, {run_end}}, found.subspan(count), rules);
      if (!listed.ok()) return listed;
      count += listed.value();
      position = found[count - 1].at.value + found[count - 1].size;
      continue;
    }
    ExtentType type = ExtentType::kUnallocated;
    if (run.state == BlockState::kWritten) type = ExtentType::kData;
    if (run.state == BlockState::kZero) type = ExtentType::kHole;
    found[count++] = {{position}, run_end - position, type, 0, kNoHostOffset};
    position = run_end;
  }
  return count;
}

MediumSpan OverlayStore::NextData(MediumSpan within) {
  const FreezeGate::Pass pass(gate_);
  const uint64_t end = within.end.value;
  for (uint64_t position = within.begin.value; position < end;) {
    const Run run = RunAt(top_.get(), blocks_.At(position), blocks_.EndAt(end));
    const MediumSpan span{{position}, {std::min(end, blocks_.End(run.end))}};
    if (run.state == BlockState::kWritten) return span;
    const MediumSpan data = run.state == BlockState::kBelow ? base_.NextData(span) : MediumSpan{};
    if (!data.empty()) return data;
    position = span.end.value;
  }
  return {within.end, within.end};
}

void OverlayStore::Prefetch(uint64_t at, uint64_t size) noexcept {
  // A hint, for which nobody waits.
  const FreezeGate::Pass pass(gate_, false);
  if (!pass) return;
  constexpr uint64_t kMost = 32 << 20;
  const uint64_t end = at + std::min(size, kMost);
  for (uint64_t position = at; position < end;) {
    const Run run = RunAt(top_.get(), blocks_.At(position), blocks_.EndAt(end));
    const uint64_t run_end = std::min(end, blocks_.End(run.end));
    if (run.state == BlockState::kBelow) base_.Prefetch(position, run_end - position);
    if (run.state == BlockState::kWritten) run.layer->bytes().Prefetch({position}, run_end - position);
    position = run_end;
  }
}

}  // namespace blk
