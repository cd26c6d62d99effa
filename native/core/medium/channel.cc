#include "core/medium/channel.h"

#include <algorithm>

namespace blk {
namespace {

alignas(4096) constexpr uint8_t kZeros[64 * 1024] = {};

}  // namespace

std::span<const uint8_t> ZeroBytes() { return kZeros; }

Moved Channel::Do(const StartedMove& move) {
  switch (move.kind) {
    case StartedMove::Kind::kRead: return Read(move.at, move.data, move.size, move.rules);
    case StartedMove::Kind::kWrite: return Write(move.at, move.data, move.size, move.rules);
    case StartedMove::Kind::kDiscard: return Discard(move.at, move.size, move.rules);
    case StartedMove::Kind::kZero: return Zero(move.at, move.size, move.rules);
    case StartedMove::Kind::kSync: break;
  }
  return {0, Sync()};
}

Moved Channel::Zero(MediumOffset at, uint64_t size, const PieceRules& rules) {
  if (rules.fast) return {0, {EOPNOTSUPP, Op::kPwrite}};
  PieceRules plain;
  plain.cancel = rules.cancel;
  size_t done = 0;
  while (done < size) {
    const size_t step = static_cast<size_t>(std::min<uint64_t>(sizeof kZeros, size - done));
    const Moved moved = Write({at.value + done}, kZeros, step, plain);
    done += moved.bytes;
    if (!moved.status.ok()) return {done, moved.status};
  }
  return {done, Status::Ok()};
}

}  // namespace blk
