#include "core/io/map_policy.h"

namespace blk {

MapPolicy::MapPolicy(HostOffset begin, HostOffset end)
    : shift_(ShiftFor({begin, end}, kMinShift, kMaxBlocks)),
      first_(begin.value >> shift_),
      blocks_(new std::atomic<uint8_t>[static_cast<size_t>(BlocksIn({begin, end}, shift_))]()) {}

MapPolicy::Path MapPolicy::Choose(HostOffset at, size_t size, Lane lane) {
  std::atomic<uint8_t>& block = blocks_[BlockOf(at)];
  Account& account = accounts_[lane % kLanes];
  // Relaxed, as all here: nothing hangs on these bytes but speed.
  const uint8_t state = block.load(std::memory_order_relaxed);
  if (state == kWarm) {
    Book(account, kSaved);
    return Path::kCopy;
  }
  // Of each lane by itself. In order, a fault is paid by the pages of the block that are read next, so it needs no
  // credit.
  const bool sequential = account.next.load(std::memory_order_relaxed) == at.value && size <= kSequentialMax;
  account.next.store(at.value + size, std::memory_order_relaxed);
  if (sequential || (state == kRead && account.balance.load(std::memory_order_relaxed) >= kFault)) {
    if (!sequential) Book(account, -kFault);
    block.store(kWarm, std::memory_order_relaxed);
    return Path::kInvest;
  }
  // The second read is the one that may invest: most blocks that are read twice are read often.
  if (state == kNever) block.store(kRead, std::memory_order_relaxed);
  Earn(size, lane);
  return Path::kPread;
}

bool MapPolicy::Spend(int64_t ns, Lane lane) {
  Account& account = accounts_[lane % kLanes];
  if (account.balance.load(std::memory_order_relaxed) < ns) return false;
  Book(account, -ns);
  return true;
}

void MapPolicy::Forget(HostOffset begin, HostOffset end) {
  for (size_t i = BlockOf(begin); i <= BlockOf({end.value - 1}); i++)
    blocks_[i].store(kNever, std::memory_order_relaxed);
}

}  // namespace blk
