// FaultInjector: the seed's generator and the rule that makes a buf fail. One stream of draws per driver, for all its
// devices and both directions. Thread-safe.
// Model: rumpblk.c r1.31 lines 732-763, bit for bit, so that a seed known from there fails the same requests here; the
// low bits alternate (F3), which is part of the stream's contract.
#ifndef RUMPBLK_CORE_FILTER_FAULT_INJECTOR_H_
#define RUMPBLK_CORE_FILTER_FAULT_INJECTOR_H_

#include <cstdint>

#include "core/base/sync.h"
#include "core/base/units.h"

namespace blk {

// Rate and seed of a driver, and where its stream is. Off at first.
class FaultInjector {
 public:
  struct Settings {
    uint32_t rate = 0;  // n of kBlkfailMax draws fail; 0: off, nothing is drawn
    uint32_t seed = 0;  // start of the stream
  };

  // Starts the stream afresh, from the seed.   Thread: any.   REQUIRES: rate <= kBlkfailMax.
  void Set(Settings settings) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    settings_ = settings;
    state_ = settings.seed;
  }
  // As they were set: the seed is the one that the stream began with, not where it is.
  Settings settings() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return settings_;
  }

  // Draws for up to `count` bufs, in order, and stops after the first that fails: the bufs behind it are never issued,
  // so they take nothing from the stream. -> its index, or `count`.   Thread: any; in one piece, so that draws of
  // others are before or behind it.
  uint64_t DrawUntilFailure(uint64_t count) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (settings_.rate == 0) return count;
    for (uint64_t i = 0; i < count; i++) {
      if (Draw() % kBlkfailMax < settings_.rate) return i;
    }
    return count;
  }

 private:
  // gimmerand: the constants are those of the C standard's sample rand(), with 31 bits of result.
  uint32_t Draw() REQUIRES(mu_) {
    state_ = state_ * 1103515245u + 12345u;
    return state_ % 0x80000000u;
  }

  mutable Mutex mu_;
  Settings settings_ GUARDED_BY(mu_);
  // Where the stream is: the last value before it was cut to 31 bits.
  uint32_t state_ GUARDED_BY(mu_) = 0;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FAULT_INJECTOR_H_
