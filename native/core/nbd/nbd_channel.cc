#include "core/nbd/nbd_channel.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <vector>

#include "core/base/no_memory.h"
#include "core/medium/start_and_wait.h"
#include "core/nbd/range_change.h"
#include "core/nbd/waited_request.h"

namespace blk::nbd {
namespace {

// Of one question for extents: what a server may have to look through.
constexpr uint64_t kMostAsked = uint64_t{1} << 30;

// A hint that nobody waits for.
struct Hint : WireRequest {};

ExtentType TypeOf(uint32_t flags) {
  // A hole that need not read as zeros is nothing that anybody may rely on.
  if ((flags & kStateZero) == 0) return ExtentType::kData;
  return (flags & kStateHole) != 0 ? ExtentType::kHole : ExtentType::kZero;
}

}  // namespace

Moved NbdChannel::Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) {
  if (rules.nowait) return {0, {EAGAIN, Op::kPread}};
  return StartAndWait(*this, {StartedMove::Kind::kRead, at, data, size, rules});
}

Moved NbdChannel::Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) {
  // Only read from, as it is a write.
  return StartAndWait(*this, {StartedMove::Kind::kWrite, at, const_cast<void*>(data), size, rules});
}

void NbdChannel::Start(StartedMove& move) {
  switch (move.kind) {
    case StartedMove::Kind::kRead:
    case StartedMove::Kind::kWrite: return StartTransfer(move);
    case StartedMove::Kind::kDiscard:
    case StartedMove::Kind::kZero: return RangeChange::Start(*this, client(), disk_->transfers, move);
    case StartedMove::Kind::kSync: return StartSync(move);
  }
}

void NbdChannel::StartSync(StartedMove& move) {
  ChannelSync* sync = spare_.exchange(nullptr);
  if (sync == nullptr && !HadMemory([&] { sync = new ChannelSync(); })) {
    return move.finish(move, {0, {ENOMEM, Op::kFlush}});
  }
  sync->told = told_.get();
  sync->channel = this;
  sync->move = &move;
  sync->done = [](SyncRequest& over, Status status) {
    auto* const its = static_cast<ChannelSync*>(&over);
    StartedMove& asked = *its->move;
    // Before the answer, behind which the channel may be gone.
    delete its->channel->spare_.exchange(its);
    asked.finish(asked, {0, status});
  };
  client().StartSync(*sync);
}

void NbdChannel::StartTransfer(StartedMove& move) {
  const bool read = move.kind == StartedMove::Kind::kRead;
  const Op op = read ? Op::kPread : Op::kPwrite;
  if (move.rules.nowait) return move.finish(move, {0, {EAGAIN, op}});
  const uint64_t reach = facts().reach();
  if (move.at.value >= reach) return move.finish(move, {0, {EIO, op}});
  TransferKind kind{read ? Command::kRead : Command::kWrite, 0};
  if (!read && move.rules.durable && facts().Has(kSendFua)) kind.flags |= kFlagFua;
  if (move.size <= reach - move.at.value) return Transfer::Start(client(), disk_->transfers, kind, move);
  // As far as there is something, and EIO behind that.
  struct Short {
    StartedMove move;
    StartedMove* whole;
  };
  Short* part = nullptr;
  if (!HadMemory([&] { part = new Short{move, &move}; })) return move.finish(move, {0, {ENOMEM, op}});
  part->move.size = static_cast<size_t>(reach - move.at.value);
  part->move.owner = part;
  part->move.finish = [](StartedMove& done, const Moved& moved) {
    const std::unique_ptr<Short> owned(static_cast<Short*>(done.owner));
    const Op what = done.kind == StartedMove::Kind::kRead ? Op::kPread : Op::kPwrite;
    StartedMove& all = *owned->whole;
    all.finish(all, moved.status.ok() ? Moved{moved.bytes, {EIO, what}} : moved);
  };
  Transfer::Start(client(), disk_->transfers, kind, part->move);
}

Moved NbdChannel::Discard(MediumOffset at, uint64_t size, const PieceRules& rules) {
  return StartAndWait(*this, {StartedMove::Kind::kDiscard, at, nullptr, static_cast<size_t>(size), rules});
}

Moved NbdChannel::Zero(MediumOffset at, uint64_t size, const PieceRules& rules) {
  return StartAndWait(*this, {StartedMove::Kind::kZero, at, nullptr, static_cast<size_t>(size), rules});
}

void NbdChannel::Prefetch(MediumOffset at, uint64_t size) noexcept {
  if (!facts().Has(kSendCache)) return;
  const uint64_t block = facts().blocks.minimum;
  const uint64_t begin = AlignDown(at.value, block), end = std::min(facts().reach(), AlignUp(at.value + size, block));
  if (begin >= end) return;
  auto* hint = new (std::nothrow) Hint();
  if (hint == nullptr) return;
  hint->command = Command::kCache;
  hint->offset = begin;
  // Of more than that it is no hint any more.
  hint->length = static_cast<uint32_t>(std::min<uint64_t>(end - begin, facts().blocks.maximum));
  hint->finish = [](WireRequest& request, WireEnd) { delete static_cast<Hint*>(&request); };
  client().Submit(*hint);
}

MediumFeatures NbdChannel::Features() {
  MediumFeatures features;
  features.discard = facts().Has(kSendTrim);
  features.fast_zero = facts().Has(kSendWriteZeroes) && facts().Has(kSendFastZero);
  features.extents = facts().allocation.has_value();
  features.durable = durable_writes();
  features.preferred = facts().blocks.preferred;
  features.minimum = facts().blocks.minimum;
  return features;
}

Result<size_t> NbdChannel::Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                                   const PieceRules& rules) {
  if (IsCancelled(rules.cancel)) return Status{ECANCELED, Op::kExtents};
  if (!facts().allocation) return Channel::Extents(within, layer, found, rules);
  ExtentCache& cache = disk_->transfers.extents;
  const auto put = [&](size_t count, uint64_t at, uint64_t end, ExtentType type) {
    found[count] = {{at}, std::min(end, within.end.value) - at, type};
  };
  uint64_t at = within.begin.value;
  size_t count = 0;
  while (disk_->keeps_extents && count < found.size() && at < within.end.value) {
    const auto known = cache.At(at);
    if (!known) break;
    put(count++, at, known->end, known->type);
    at = known->end;
  }
  if (count > 0) return count;
  const uint64_t block = facts().blocks.minimum;
  WaitedRequest request;
  request.command = Command::kBlockStatus;
  request.offset = AlignDown(at, block);
  request.length = static_cast<uint32_t>(std::min(AlignUp(within.end.value, block) - request.offset, kMostAsked));
  const uint64_t since = cache.Now();
  client().Submit(request);
  const Status status = request.Wait(Op::kExtents);
  if (status.err == ENOTCONN || status.err == ESTALE) return status;
  // A server that cannot tell after all: whatever is there is data.
  if (!status.ok()) return Channel::Extents(within, layer, found, rules);
  uint64_t begins = request.offset;
  for (const StatusExtent& extent : request.extents) {
    const uint64_t end = std::min(begins + extent.length, facts().reach());
    if (disk_->keeps_extents && begins < end) cache.Keep(begins, end, TypeOf(extent.flags), since);
    if (end > at && at < within.end.value && count < found.size()) {
      put(count++, at, end, TypeOf(extent.flags));
      at = end;
    }
    begins += extent.length;
  }
  // One that ends inside of a block has told nothing of this place.
  if (count == 0) return Channel::Extents(within, layer, found, rules);
  return count;
}

}  // namespace blk::nbd
