#include "core/nbd/transfer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/base/no_memory.h"
#include "core/nbd/client.h"
#include "core/nbd/wire_error.h"

namespace blk::nbd {
namespace {

Op OpOf(Command command) {
  switch (command) {
    case Command::kRead: return Op::kPread;
    case Command::kWrite: return Op::kPwrite;
    case Command::kTrim: return Op::kDiscard;
    default: return Op::kZero;
  }
}

}  // namespace

Transfer::Transfer(Client& client, TransferState& state, TransferKind kind, StartedMove& move)
    : client_(client),
      state_(state),
      kind_(kind),
      move_(&move),
      begin_(move.at.value),
      end_(move.at.value + move.size),
      block_(client.facts().blocks.minimum),
      head_(AlignDown(begin_, block_)),
      tail_(AlignDown(end_ - 1, block_)),
      has_head_(begin_ != head_ || end_ < head_ + block_),
      has_tail_(end_ != tail_ + block_ && !(has_head_ && tail_ == head_)) {
  Place::begin = head_;
  Place::end = tail_ + block_;
  granted = [](Place& place) {
    auto& to = static_cast<Transfer&>(place);
    to.StartStage(to.has_edges() ? Stage::kBlocks : Stage::kAll);
  };
  if (has_edges()) blocks_.resize(2 * block_);
}

void Transfer::Start(Client& client, TransferState& state, TransferKind kind, StartedMove& move) {
  const Op op = OpOf(kind.command);
  if (IsCancelled(move.rules.cancel)) return move.finish(move, {0, {ECANCELED, op}});
  if (move.size == 0) return move.finish(move, {});
  Transfer* transfer = nullptr;
  // It goes by itself.
  if (!HadMemory([&] { transfer = new Transfer(client, state, kind, move); })) {
    return move.finish(move, {0, {ENOMEM, op}});
  }
  const bool more = move.rules.more;
  if (!transfer->mutates()) return transfer->StartStage(Stage::kAll, more);
  state.extents.BeginChange(transfer->Place::begin, transfer->Place::end);
  // Of a server that takes any byte nobody reads what somebody else writes.
  // What is granted its turn later is kicked by nobody.
  transfer->block_ == 1 ? transfer->StartStage(Stage::kAll, more) : state.blocks.Enter(*transfer);
}

void Transfer::StartStage(Stage stage, bool more) {
  stage_ = stage;
  const bool blocks = stage == Stage::kBlocks;
  const uint32_t maximum = client_.facts().blocks.maximum;
  const bool long_ranges = !moves_bytes() && state_.long_ranges.load(std::memory_order_relaxed);
  longest_ = long_ranges ? std::max<uint64_t>(kMostRange, maximum) : maximum;
  longest_ = AlignDown(std::min<uint64_t>(longest_, kMostRange), block_);
  const bool had_memory = HadMemory([&] {
    parts_.clear();
    parts_.reserve(blocks ? 2 : (end_ - begin_) / longest_ + 4);
  });
  if (!had_memory) return Answer({0, {ENOMEM, OpOf(kind_.command)}});
  MakeParts(blocks ? Command::kRead : kind_.command);
  // The count for who starts: no part ends the stage while others are to be begun.
  waits_.store(parts_.size() + 1, std::memory_order_relaxed);
  holds_.fetch_add(parts_.size(), std::memory_order_relaxed);
  for (Part& part : parts_) {
    part.more = more;
    client_.Submit(part);
  }
  LeaveStage();
}

void Transfer::MakeParts(Command command) {
  if (has_head_) AddPart(command, head_, head_ + block_, blocks_.data());
  if (stage_ == Stage::kAll) {
    const uint64_t to = has_tail_ || (has_head_ && tail_ == head_) ? tail_ : tail_ + block_;
    for (uint64_t from = has_head_ ? head_ + block_ : head_; from < to;) {
      const uint64_t until = std::min(to, from + longest_);
      auto* const data = static_cast<uint8_t*>(move_->data);
      AddPart(command, from, until, moves_bytes() ? data + (from - begin_) : nullptr);
      from = until;
    }
  }
  if (has_tail_) AddPart(command, tail_, tail_ + block_, tail_block());
}

void Transfer::AddPart(Command command, uint64_t begin, uint64_t end, uint8_t* data) {
  Part& part = parts_.emplace_back();
  part.transfer = this;
  part.command = command;
  part.offset = begin;
  part.length = static_cast<uint32_t>(end - begin);
  part.until = std::min(end, end_) - begin_;
  part.flags = command == Command::kRead ? 0 : kind_.flags;
  part.cancel = move_->rules.cancel;
  (command == Command::kRead ? part.data : const_cast<uint8_t*&>(part.payload)) = data;
  part.finish = OnFinish;
  part.called_off = OnCalledOff;
}

void Transfer::OnFinish(WireRequest& request, WireEnd how) {
  auto& part = static_cast<Part&>(request);
  Transfer& transfer = *part.transfer;
  // One that was called off has left the stage.
  if (!part.off) {
    part.status = StatusOf(part, how, OpOf(transfer.kind_.command));
    transfer.LeaveStage();
  }
  transfer.Release();
}

void Transfer::OnCalledOff(WireRequest& request) {
  auto& part = static_cast<Part&>(request);
  part.status = {ECANCELED, OpOf(part.transfer->kind_.command)};
  part.transfer->LeaveStage();
}

void Transfer::EndStage() {
  Moved moved = Outcome();
  const bool refused = moved.status.err == EINVAL || moved.status.err == EOVERFLOW;
  if (refused && !moves_bytes() && longest_ > client_.facts().blocks.maximum) {
    // Perhaps because they are too long for it: again, shorter. All of them have ended.
    state_.long_ranges.store(false, std::memory_order_relaxed);
    return StartStage(Stage::kAll);
  }
  if (stage_ == Stage::kBlocks) {
    if (!moved.status.ok()) return Answer({0, moved.status});
    CopyEdges(false);
    return StartStage(Stage::kAll);
  }
  if (has_edges() && !mutates() && moved.status.ok()) CopyEdges(true);
  // Of a read that failed nothing in the edges was copied.
  if (has_head_ && !mutates() && !moved.status.ok()) moved.bytes = 0;
  Answer(moved);
}

Moved Transfer::Outcome() const {
  Moved moved;
  for (const Part& part : parts_) {
    if (!part.status.ok()) return {moved.bytes, part.status};
    moved.bytes = static_cast<size_t>(part.until);
  }
  return moved;
}

void Transfer::CopyEdges(bool from_blocks) {
  auto* const data = static_cast<uint8_t*>(move_->data);
  const auto copy = [&](uint8_t* block, uint64_t begins) {
    const uint64_t from = std::max(begin_, begins), to = std::min(end_, begins + block_);
    uint8_t* const ours = data + (from - begin_);
    uint8_t* const theirs = block + (from - begins);
    std::memcpy(from_blocks ? ours : theirs, from_blocks ? theirs : ours, to - from);
  };
  if (has_head_) copy(blocks_.data(), head_);
  if (has_tail_) copy(tail_block(), tail_);
}

void Transfer::Answer(const Moved& moved) {
  if (mutates()) {
    state_.extents.EndChange(Place::begin, Place::end);
    if (block_ != 1) state_.blocks.Leave(*this);
  }
  move_->finish(*move_, moved);
  Release();
}

}  // namespace blk::nbd
