// DurabilityRule: whether a request of an open is durable when it completes, from the open's cache mode and what the
// request says: the one place that decides it. Plain data.
#ifndef RUMPBLK_CORE_REQUEST_DURABILITY_H_
#define RUMPBLK_CORE_REQUEST_DURABILITY_H_

#include <cstdint>

#include "core/request/operation.h"

namespace blk {

// What a write promises when it completes: to be durable, to be so after a flush, or nothing at all.
enum class CacheMode : uint8_t { kWritethrough, kWriteback, kUnsafe };

// What a request says for itself: by the cache mode, or against it.
enum class Fua : uint8_t { kByCacheMode, kOff, kOn };

// `fua` of a buf, which is durable whatever the cache mode unless it is deferred: the kernel's B_ASYNC.
constexpr Fua FuaOfBuf(bool deferred) { return deferred ? Fua::kOff : Fua::kOn; }

class DurabilityRule {
 public:
  explicit constexpr DurabilityRule(CacheMode cache) : cache_(cache) {}

  // Reads never are: no strategy has to ask which it is. Under kUnsafe nothing is, whatever `fua` says.
  constexpr bool IsDurable(Operation operation, Fua fua) const {
    if (!Mutates(operation) || cache_ == CacheMode::kUnsafe) return false;
    return fua == Fua::kByCacheMode ? cache_ == CacheMode::kWritethrough : fua == Fua::kOn;
  }
  // Whether a flush makes anything durable.
  constexpr bool flushes() const { return cache_ != CacheMode::kUnsafe; }

 private:
  CacheMode cache_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_REQUEST_DURABILITY_H_
