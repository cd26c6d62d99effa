// Contender: one way to read or write blocks of a file, as the floors time it, on any number of threads.
#ifndef RUMPBLK_BENCH_SUPPORT_CONTENDER_H_
#define RUMPBLK_BENCH_SUPPORT_CONTENDER_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "bench/support/host_map.h"
#include "core/base/lane_lease.h"
#include "core/device/options.h"

namespace blk_bench {

struct Setting {
  std::string file;
  uint64_t size = 0;  // bytes of the file that are used, from its start
  size_t block = 4096;
  // Of `ring`: requests under way, at most Ring::kEntries, and whether they pass the page cache by.
  size_t depth = 32;
  bool direct = false;
  // Of `core`: how the device is opened.
  blk::Access access = blk::Access::kAuto;
  uint64_t window_size = 0;  // 0: auto
  uint32_t window_count = blk::kDefaultWindowCount;
};

// Nanoseconds since the start of a run at each mark, which is a number of requests; the last one is all of them.
struct Times {
  std::vector<double> at_mark;
  uint64_t sum = 0;  // of the first word of every block read: what the file's stamps say that it must be
};

class Contender {
 public:
  virtual ~Contender() = default;
  virtual Times Run(const uint64_t* at, const std::vector<size_t>& marks, uint8_t* to, blk::Lane lane) = 0;
};

// One request after the other: Read() is the timed part and is inlined into the loop of Run().
template <typename Derived>
class TimedContender : public Contender {
 public:
  Times Run(const uint64_t* at, const std::vector<size_t>& marks, uint8_t* to, blk::Lane lane) final {
    Times times;
    const double start = Now();
    size_t i = 0;
    for (const size_t mark : marks) {
      for (; i < mark; i++) {
        static_cast<Derived*>(this)->Read(at[i], to, lane);
        uint64_t stamp;
        std::memcpy(&stamp, to, sizeof stamp);
        times.sum += stamp;
      }
      times.at_mark.push_back(Now() - start);
    }
    return times;
  }
};

}  // namespace blk_bench

#endif  // RUMPBLK_BENCH_SUPPORT_CONTENDER_H_
