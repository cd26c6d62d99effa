#include "core/medium/channel.h"

#include <algorithm>

namespace blk {
namespace {

// What zeros are written from. Never written to, so that it costs no memory.
alignas(4096) constexpr uint8_t kZeros[64 * 1024] = {};

}  // namespace

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
