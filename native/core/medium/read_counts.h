// ReadCounts: counts what an overlay reads of its base where the requests of that device are counted. Thread-safe.
#ifndef RUMPBLK_CORE_MEDIUM_READ_COUNTS_H_
#define RUMPBLK_CORE_MEDIUM_READ_COUNTS_H_

#include <memory>
#include <utility>

#include "core/base/counters.h"
#include "core/base/moved.h"

namespace blk {

class ReadCounts {
 public:
  // Counts nothing.
  ReadCounts() = default;
  explicit ReadCounts(std::shared_ptr<Counters> counters) : counters_(std::move(counters)) {}

  // A read that has ended; one that was only asked whether it could be had now, and could not, is none.
  void Note(const Moved& moved) const {
    if (counters_ == nullptr || moved.status.err == EAGAIN || moved.status.err == EOPNOTSUPP) return;
    counters_->Add(Counter::kIoTotal, 1, kSharedLane);
    counters_->Add(Counter::kBytesRead, moved.bytes, kSharedLane);
  }

 private:
  std::shared_ptr<Counters> counters_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_MEDIUM_READ_COUNTS_H_
