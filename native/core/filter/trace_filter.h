// TraceFilter: measures the requests of one open as its callers see them, from Admit() to the end, queue included, and
// keeps each in a trace where one is on. The outermost filter, so that it sees what callers see. Thread-safe.
#ifndef RUMPBLK_CORE_FILTER_TRACE_FILTER_H_
#define RUMPBLK_CORE_FILTER_TRACE_FILTER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/histogram.h"
#include "core/base/sync.h"
#include "core/filter/request_trace.h"
#include "core/request/filter.h"

namespace blk {

// ns of a clock that never goes back.
uint64_t TraceClock();

// What requests of one operation came to.
struct LatencyOf {
  Histogram latency;                // ns of each, failed ones too
  std::atomic<uint64_t> errors{0};  // of them, those that failed
  std::atomic<uint64_t> bytes{0};   // that moved
};

class TraceFilter final : public Filter {
 public:
  // Read, write with copies, flush, discard, zeroes: the first operations in their order.
  static constexpr size_t kOperations = 5;

  TraceFilter() = default;

  FilterTraits traits() const override {
    FilterTraits traits;
    traits.watches_requests = true;
    return traits;
  }
  void Admit(Request& request) override;
  void Completed(Request& request) override;

  // Whether it has anything to do.   Thread: any, also for all below.
  bool on() const { return measures() || trace_.load(std::memory_order_acquire) != nullptr; }
  // Begins to measure, if need be. Throws std::bad_alloc.
  void Measure() EXCLUDES(mu_);
  bool measures() const { return latencies_.load(std::memory_order_acquire) != nullptr; }
  // Of an operation, by its place in the order above. REQUIRES: measures().
  LatencyOf& latency(size_t operation) { return (*latencies_.load(std::memory_order_acquire))[operation]; }

  // Keeps requests that are admitted from now on in `trace`, as those of its device of that index. Throws
  // std::bad_alloc. -> false: another one is on. `idle`: no request of the open is under way, so that what ended
  // before can go.
  bool Begin(std::shared_ptr<RequestTrace> trace, uint16_t device, bool idle) EXCLUDES(mu_);
  // Ends that; what is under way is still kept when it completes. -> false: it is not on.
  bool End(const RequestTrace& trace) EXCLUDES(mu_);

 private:
  using Latencies = std::array<LatencyOf, kOperations>;
  // A trace that was begun here: requests under way point to it.
  struct Begun {
    std::shared_ptr<RequestTrace> trace;
    uint16_t device;
  };

  Mutex mu_;
  std::vector<std::unique_ptr<Begun>> begun_ GUARDED_BY(mu_);  // the last one may be on
  std::unique_ptr<Latencies> measured_ GUARDED_BY(mu_);
  std::atomic<Latencies*> latencies_{nullptr};  // measured_'s
  std::atomic<Begun*> trace_{nullptr};          // one of begun_, the one that is on
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_TRACE_FILTER_H_
