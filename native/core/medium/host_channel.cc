#include "core/medium/host_channel.h"

#include <algorithm>

#include "core/base/waiting_threads.h"
#include "core/host/transfer_loop.h"
#include "core/medium/host_copy.h"

namespace blk {
namespace {

// Errors that are the engine's rather than the medium's, or may be: the call that waits has the last word.
bool IsOfEngine(int err) {
  switch (err) {
    case ECANCELED:   // not done: the kernel had no thread for it, or is asked no more
    case EAGAIN:      // it would wait, and has nobody to do so
    case EINVAL:      // O_DIRECT: the file system wants more than it told
    case EOPNOTSUPP:  // a file without such transfers
    case ENOSYS:
    case EPERM:
    case EACCES:
    case ENOMEM: return true;
    default: return false;
  }
}

Op OpOf(const StartedMove& move) { return move.kind == StartedMove::Kind::kRead ? Op::kPread : Op::kPwrite; }

}  // namespace

Moved HostChannel::Read(MediumOffset at, void* data, size_t size, const PieceRules& rules) {
  return rules.nowait ? ReadNow(at, data, size) : file_.ReadAll(data, size, at, rules.cancel);
}

Moved HostChannel::ReadNow(MediumOffset at, void* data, size_t size) {
  // Only for the engine's sake, which puts many reads to the disk at once. Workers are few, and what was begun here is
  // under way when they come to it. An engine is asked for behind reads that had to wait: before them none is made.
  const bool may_start = engine_ != nullptr;
  if (may_start && waits_.AssumesWaiting() && engine_->Ready()) return {0, {EAGAIN, Op::kPread}};
  const Moved moved = file_.ReadNow(data, size, at);
  if (may_start) waits_.Record(moved.status.err == EAGAIN);
  return moved;
}

Moved HostChannel::Write(MediumOffset at, const void* data, size_t size, const PieceRules& rules) {
  return rules.durable ? file_.WriteAllDurable(data, size, at, rules.cancel)
                       : file_.WriteAll(data, size, at, rules.cancel);
}

bool HostChannel::Starts(const StartedMove& move) {
  if (engine_ == nullptr || move.rules.durable) return false;
  const bool direct = file_.FitsDirect(move.data, move.size, move.at.value);
  const bool waits = direct || (move.kind == StartedMove::Kind::kRead && !file_.HasDirect());
  return waits && engine_->Ready();
}

void HostChannel::Start(StartedMove& move) {
  move.channel = this;
  move.moved = 0;
  move.interruptions = 0;
  if (IsCancelled(move.rules.cancel) || !Starts(move) || !PutRest(move)) MoveRest(move);
}

bool HostChannel::PutRest(StartedMove& move) {
  HostTransfer& transfer = move.transfer;
  uint8_t* const data = static_cast<uint8_t*>(move.data) + move.moved;
  const uint64_t at = move.at.value + move.moved;
  const size_t size = std::min<size_t>(move.size - move.moved, kSegmentSize);
  const bool direct = file_.HasDirect();
  // A short transfer may end anywhere.
  if (direct && !file_.FitsDirect(data, size, at)) return false;
  const bool read = move.kind == StartedMove::Kind::kRead;
  transfer.kind = read ? HostTransfer::Kind::kRead : HostTransfer::Kind::kWrite;
  transfer.fd = direct ? file_.direct_fd : file_.fd;
  transfer.data = data;
  transfer.size = size;
  transfer.offset = at;
  transfer.done = OnDone;
  transfer.owner = &move;
  return engine_->Put(line_, transfer);
}

void HostChannel::OnDone(HostTransfer& transfer, int64_t answer) {
  StartedMove& move = *static_cast<StartedMove*>(transfer.owner);
  HostChannel& channel = *static_cast<HostChannel*>(move.channel);
  const int err = answer < 0 ? static_cast<int>(-answer) : 0;
  if (answer > 0) {
    move.moved += static_cast<size_t>(answer);
    move.interruptions = 0;
    if (move.moved == move.size) return move.finish(move, {move.moved, Status::Ok()});
  } else if (answer == 0) {
    // The host file ends inside the device: it shrank.
    return move.finish(move, {move.moved, {EIO, OpOf(move)}});
  } else if (IsOfEngine(err)) {
    return channel.GiveRest(move);
  } else if (err != EINTR || move.interruptions++ == kMostInterruptions) {
    return move.finish(move, {move.moved, {err, OpOf(move)}});
  }
  if (IsCancelled(move.rules.cancel)) return move.finish(move, {move.moved, {ECANCELED, OpOf(move)}});
  if (!channel.PutRest(move)) channel.GiveRest(move);
}

void HostChannel::GiveRest(StartedMove& move) {
  const auto work = [](void* owner) {
    StartedMove& given = *static_cast<StartedMove*>(owner);
    static_cast<HostChannel*>(given.channel)->MoveRest(given);
  };
  if (!engine_->threads().Run(work, &move)) MoveRest(move);
}

void HostChannel::MoveRest(StartedMove& move) {
  uint8_t* const data = static_cast<uint8_t*>(move.data) + move.moved;
  const MediumOffset at{move.at.value + move.moved};
  const size_t size = move.size - move.moved;
  const Moved rest =
      move.kind == StartedMove::Kind::kRead ? Read(at, data, size, move.rules) : Write(at, data, size, move.rules);
  move.finish(move, {move.moved + rest.bytes, rest.status});
}

void HostChannel::Prefetch(MediumOffset at, uint64_t size) noexcept {
  // Past the page cache, where nothing could be on its way to.
  if (file_.direct_fd >= 0) return;
  // The host takes no more than so much of one call; and more than the whole of this at once would hold up who asks.
  constexpr uint64_t kStep = 1 << 20, kMost = 32 << 20;
  const uint64_t end = at.value + std::min(size, kMost);
  for (uint64_t from = at.value; from < end; from += kStep) {
    // A hint: who reads finds out what is there, and why not.
    static_cast<void>(file_.host->WillNeed(file_.fd, from, std::min(kStep, end - from)));
  }
}

Moved HostChannel::Zero(MediumOffset at, uint64_t size, const PieceRules& rules) {
  if (holes_ == nullptr || size == 0) return Channel::Zero(at, size, rules);
  const MediumSpan inner = holes_->ZeroSpan(file_, at, size);
  if (inner.empty()) return Channel::Zero(at, size, rules);
  // The middle first: it decides whether all of it is fast.
  const Moved middle = holes_->Zero(file_, inner, rules);
  const bool refused = middle.status.err == EOPNOTSUPP;
  if (refused && middle.bytes == 0) return Channel::Zero(at, size, rules);
  if (!middle.status.ok() && middle.bytes == 0) return middle;
  PieceRules written = rules;
  written.fast = false;
  const Moved head = Channel::Zero(at, inner.begin.value - at.value, written);
  if (!head.status.ok()) return head;
  const uint64_t done = head.bytes + middle.bytes;
  if (!middle.status.ok() && !refused) return {static_cast<size_t>(done), middle.status};
  const Moved tail = Channel::Zero({at.value + done}, size - done, written);
  return {static_cast<size_t>(done) + tail.bytes, tail.status};
}

Moved HostChannel::Copy(MediumOffset at, uint64_t size, CopySource& source, const PieceRules& rules) {
  return HostCopy(*this, source, rules).Run(at, size);
}

MediumFeatures HostChannel::Features() {
  MediumFeatures features;
  if (holes_ != nullptr) features = holes_->Features(file_);
  features.durable = durable_writes();
  if (file_.direct_fd >= 0) features.minimum = std::max<uint64_t>(features.minimum, file_.alignment.offset);
  features.preferred = std::max(features.preferred, features.minimum);
  return features;
}

Result<size_t> HostChannel::Extents(MediumSpan within, ExtentLayer layer, std::span<MediumExtent> found,
                                    const PieceRules& rules) {
  return holes_ == nullptr ? Channel::Extents(within, layer, found, rules)
                           : holes_->Extents(file_, within, found, rules);
}

MediumSpan HostChannel::NextData(MediumSpan within) {
  if (!mappable_) return within;
  const int64_t data = file_.host->SeekData(file_.fd, within.begin.value);
  if (data == -ENXIO) return {within.end, within.end};
  if (data < 0) return within;
  const int64_t hole = file_.host->SeekHole(file_.fd, static_cast<uint64_t>(data));
  const MediumSpan found{{static_cast<uint64_t>(data)},
                         hole < 0 ? within.end : MediumOffset{static_cast<uint64_t>(hole)}};
  const MediumSpan span = found.CutTo(within);
  return span.empty() ? MediumSpan{within.end, within.end} : span;
}

Result<Mapping> HostChannel::Map(MediumOffset at, size_t size, MapMode mode) {
  return Mapping::Create(*file_.host, file_.fd, at, size, mode);
}

}  // namespace blk
