// Tally: what a server has done, for people. Thread-safe.
#ifndef RUMPBLK_SERVE_TALLY_H_
#define RUMPBLK_SERVE_TALLY_H_

#include <atomic>
#include <cstdint>

namespace blk::serve {

struct Tally {
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> bytes_read{0};
  std::atomic<uint64_t> bytes_written{0};
  std::atomic<uint64_t> errors{0};
};

// What one connection has done since it was added to a Tally, by its thread.
struct TallyPart {
  uint64_t requests = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t errors = 0;

  // Adds itself, and begins anew.
  void AddTo(Tally& tally) {
    if (requests == 0) return;
    tally.requests.fetch_add(requests, std::memory_order_relaxed);
    tally.bytes_read.fetch_add(bytes_read, std::memory_order_relaxed);
    tally.bytes_written.fetch_add(bytes_written, std::memory_order_relaxed);
    tally.errors.fetch_add(errors, std::memory_order_relaxed);
    *this = {};
  }
};

}  // namespace blk::serve

#endif  // RUMPBLK_SERVE_TALLY_H_
