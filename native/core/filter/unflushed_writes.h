// UnflushedWrites: what a disk held before the writes that no flush has covered, kept while a fault plan may fail a
// flush: one that fails loses what it would have covered, as a real one may. One for each disk, shared by its opens and
// partitions. Costs nothing while no plan asks for it.
// Thread-safe. Lock order: mu_ before the locks of the medium and before FlushState's; it is held over reads, writes
// and syncs of the medium, so that no write begins while a flush runs.
#ifndef RUMPBLK_CORE_FILTER_UNFLUSHED_WRITES_H_
#define RUMPBLK_CORE_FILTER_UNFLUSHED_WRITES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

#include "core/base/status.h"
#include "core/base/sync.h"
#include "core/base/units.h"
#include "core/medium/channel.h"

namespace blk {

class UnflushedWrites {
 public:
  // Notes what `span`, which is about to be written, holds now, unless that is noted. `disk`: all that is there.
  // `run`: number of the plan; what was noted for another one is forgotten. What cannot be read cannot be lost.
  // Throws std::bad_alloc, and nothing has changed.
  void Begin(uint64_t run, MediumSpan span, MediumSpan disk, Channel& channel) EXCLUDES(mu_);
  // The write has ended, once for each Begin(). `durable`: what it has made durable by itself, its bytes from
  // span.begin on, `size` of them; or null.
  void End(uint64_t run, MediumSpan span, const uint8_t* durable, size_t size) EXCLUDES(mu_);

  // Calls `flush()`, which gives a Status; when that is ok what was written before is covered.
  template <typename FlushFn>
  Status Cover(FlushFn&& flush) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    const Status status = flush();
    if (status.ok()) std::erase_if(sectors_, [](const auto& entry) { return entry.second.under_way == 0; });
    return status;
  }

  // Puts back what was there before the writes that no flush has covered, but for those under way. -> the smallest
  // span that holds what is lost. What the medium does not take back is there still.
  MediumSpan Lose(Channel& channel) EXCLUDES(mu_);

 private:
  struct Sector {
    std::array<uint8_t, kDevBsize> before;
    size_t size = 0;  // bytes of it that the disk has
    uint32_t under_way = 0;
  };

  Mutex mu_;
  uint64_t run_ GUARDED_BY(mu_) = 0;
  std::map<uint64_t, Sector> sectors_ GUARDED_BY(mu_);  // by number on the medium
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_UNFLUSHED_WRITES_H_
