// FakeClock: the part of a fake HostIo that tells time, and what a thread has waited for: what a test sets.
#ifndef RUMPBLK_TEST_SUPPORT_FAKE_CLOCK_H_
#define RUMPBLK_TEST_SUPPORT_FAKE_CLOCK_H_

#include <atomic>
#include <optional>

#include "core/host/host_io.h"

namespace blk::test {

class FakeClock : public HostIo {
 public:
  // What CoarseMilliseconds() says, unless it is the time of day.
  std::optional<uint32_t> clock;
  // What passes between two looks at Nanoseconds().
  std::atomic<int64_t> tick{500};
  // What MajorFaults() says.
  std::atomic<uint64_t> major_faults{0};

  uint32_t CoarseMilliseconds() override { return clock ? *clock : PosixHostIo().CoarseMilliseconds(); }
  int64_t Nanoseconds() override { return nanoseconds_.fetch_add(tick); }
  uint64_t MajorFaults() override { return major_faults; }

 private:
  std::atomic<int64_t> nanoseconds_{0};
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_FAKE_CLOCK_H_
