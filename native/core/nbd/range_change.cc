#include "core/nbd/range_change.h"

#include <algorithm>
#include <cerrno>

#include "core/base/no_memory.h"
#include "core/nbd/client.h"

namespace blk::nbd {

RangeChange::RangeChange(Channel& channel, Client& client, TransferState& state, StartedMove& move)
    : channel_(channel),
      client_(client),
      state_(state),
      move_(&move),
      begin_(move.at.value),
      end_(move.at.value + move.size),
      blocks_begin_(end_),
      blocks_end_(end_) {
  const ExportFacts& facts = client.facts();
  if (!facts.Has(zeros() ? kSendWriteZeroes : kSendTrim)) return;
  // Servers keep and free whole preferred blocks, and some make zeros of the rest of what they are told to trim.
  const uint64_t block = zeros() ? facts.blocks.minimum : facts.blocks.preferred;
  const uint64_t inner = AlignUp(begin_, block), inner_end = AlignDown(end_, block);
  if (inner < inner_end) blocks_begin_ = inner, blocks_end_ = inner_end;
  kind_.command = zeros() ? Command::kWriteZeroes : Command::kTrim;
  if (!zeros()) return;
  if (move.rules.keep_room) kind_.flags |= kFlagNoHole;
  if (move.rules.fast) kind_.flags |= kFlagFastZero;
}

void RangeChange::Start(Channel& channel, Client& client, TransferState& state, StartedMove& move) {
  const bool zeros = move.kind == StartedMove::Kind::kZero;
  const Op op = zeros ? Op::kZero : Op::kDiscard;
  if (IsCancelled(move.rules.cancel)) return move.finish(move, {0, {ECANCELED, op}});
  if (!zeros && !client.facts().Has(kSendTrim)) return move.finish(move, {});
  RangeChange* change = nullptr;
  // It goes by itself.
  if (!HadMemory([&] { change = new RangeChange(channel, client, state, move); })) {
    return move.finish(move, {0, {ENOMEM, op}});
  }
  if (zeros && move.rules.fast && !(change->has_blocks() && client.facts().Has(kSendFastZero))) {
    return change->Answer({0, {EOPNOTSUPP, op}});
  }
  change->Enter(Stage::kBlocks);
  change->GoOn();
}

void RangeChange::Enter(Stage stage) {
  stage_ = stage;
  switch (stage) {
    case Stage::kBlocks: from_ = blocks_begin_, until_ = blocks_end_; break;
    case Stage::kHead: from_ = begin_, until_ = blocks_begin_; break;
    case Stage::kTail: from_ = blocks_end_, until_ = end_; break;
    case Stage::kOver: from_ = until_ = end_; break;
  }
  next_ = from_;
}

void RangeChange::GoOn() {
  while (next_ == until_) {
    if (stage_ == Stage::kOver || (stage_ == Stage::kBlocks && !zeros())) {
      return Answer({static_cast<size_t>(end_ - begin_), Status::Ok()});
    }
    Enter(static_cast<Stage>(static_cast<uint8_t>(stage_) + 1));
  }
  const bool blocks = stage_ == Stage::kBlocks;
  const std::span<const uint8_t> zero_bytes = ZeroBytes();
  const uint64_t most = blocks ? Transfer::kMostRange : zero_bytes.size();
  part_ = {};
  part_.kind = StartedMove::Kind::kWrite;
  part_.at = {next_};
  part_.size = static_cast<size_t>(std::min(most, until_ - next_));
  part_.rules.cancel = move_->rules.cancel;
  part_.owner = this;
  part_.finish = [](StartedMove& part, const Moved& moved) { static_cast<RangeChange*>(part.owner)->EndPart(moved); };
  if (blocks) return Transfer::Start(client_, state_, kind_, part_);
  // Only read from, as it is a write.
  part_.data = const_cast<uint8_t*>(zero_bytes.data());
  channel_.Start(part_);
}

void RangeChange::EndPart(const Moved& moved) {
  next_ += moved.bytes;
  if (moved.status.ok()) return GoOn();
  const uint64_t done = next_ - from_;
  if (stage_ == Stage::kBlocks && !zeros()) {
    // A server that offers it and cannot all the same has not done it, which is no error.
    const bool cannot = moved.status.err == EOPNOTSUPP || moved.status.err == EINVAL;
    return Answer({done == 0 ? 0 : static_cast<size_t>(next_ - begin_), cannot ? Status::Ok() : moved.status});
  }
  // A prefix: of what was done in between nothing counts before the head is.
  const bool counts = stage_ != Stage::kBlocks || blocks_begin_ == begin_;
  Answer({counts ? static_cast<size_t>(next_ - begin_) : 0, moved.status});
}

void RangeChange::Answer(const Moved& moved) {
  StartedMove& move = *move_;
  delete this;
  move.finish(move, moved);
}

}  // namespace blk::nbd
