#include "core/nbd/extent_cache.h"

#include "core/base/no_memory.h"

namespace blk::nbd {

void ExtentCache::BeginChange(uint64_t begin, uint64_t end) {
  MutexLock lock(mu_);
  changes_++;
  changing_++;
  Forget(begin, end);
}

void ExtentCache::EndChange(uint64_t begin, uint64_t end) {
  MutexLock lock(mu_);
  changing_--;
  changes_++;
  Forget(begin, end);
}

uint64_t ExtentCache::Now() const {
  MutexLock lock(mu_);
  // No number that changes_ ever has.
  return changing_ > 0 ? UINT64_MAX : changes_;
}

void ExtentCache::Keep(uint64_t begin, uint64_t end, ExtentType type, uint64_t since) {
  MutexLock lock(mu_);
  if (changing_ > 0 || changes_ != since) return;
  Forget(begin, end);
  if (stretches_.size() >= kMost) stretches_.clear();
  static_cast<void>(HadMemory([&]() REQUIRES(mu_) { stretches_.emplace(begin, Stretch{end, type}); }));
}

std::optional<ExtentCache::Stretch> ExtentCache::At(uint64_t at) const {
  MutexLock lock(mu_);
  auto next = stretches_.upper_bound(at);
  if (next == stretches_.begin()) return std::nullopt;
  const auto& [begin, stretch] = *--next;
  return at < stretch.end ? std::optional(stretch) : std::nullopt;
}

void ExtentCache::Clear() {
  MutexLock lock(mu_);
  changes_++;
  stretches_.clear();
}

void ExtentCache::Forget(uint64_t begin, uint64_t end) {
  if (stretches_.empty()) return;
  auto next = stretches_.lower_bound(begin);
  if (next != stretches_.begin() && std::prev(next)->second.end > begin) --next;
  // A stretch that reaches over either end is forgotten as a whole: it can be asked for again.
  while (next != stretches_.end() && next->first < end) next = stretches_.erase(next);
}

}  // namespace blk::nbd
