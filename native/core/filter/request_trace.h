// RequestTrace: what became of each request of one or several devices, in the order of completion, numbered in one
// order of all that began and ended. Fixed room; what finds none is counted as dropped. Nothing here waits. Thread-safe
// for any number of writers and one reader.
#ifndef RUMPBLK_CORE_FILTER_REQUEST_TRACE_H_
#define RUMPBLK_CORE_FILTER_REQUEST_TRACE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/request/operation.h"

namespace blk {

// One request. Times in ns, places in bytes of its device.
struct TraceRecord {
  uint64_t number = 0;   // when it was admitted, in the one order of all events
  uint64_t done = 0;     // when it completed, in the same
  uint64_t time = 0;     // since the start of the trace
  uint64_t latency = 0;  // from there to its completion
  int64_t position = 0;
  uint64_t length = 0;  // asked for
  uint64_t moved = 0;
  int32_t err = 0;  // as in Status
  uint16_t device = 0;
  Operation operation = Operation::kRead;
  bool durable = false;
  uint8_t injected = 0;  // as Decision::shown() has it
};

// Who waits for records of a trace. Thread-safe.
class TraceBell {
 public:
  virtual ~TraceBell() = default;
  // A record was added. Looks for those who wait in one order with that, and takes no lock of core.   Thread: any.
  virtual void Added() = 0;
};

class RequestTrace {
 public:
  // With room for `limit` records, at least 1, which is taken as it is needed; `now`: when it starts, as TraceClock();
  // `bell`: or null.
  RequestTrace(size_t limit, uint64_t now, std::shared_ptr<TraceBell> bell = nullptr);
  ~RequestTrace();
  RequestTrace(const RequestTrace&) = delete;
  RequestTrace& operator=(const RequestTrace&) = delete;

  uint64_t start() const { return start_; }
  // The place of what happens now in the order of all events.   Thread: any.
  uint64_t NextNumber() { return events_.fetch_add(1, std::memory_order_relaxed); }
  // Keeps a record, or counts it as dropped.   Thread: any.
  void Add(const TraceRecord& record);

  // Copies records from the i-th on, as many as are there and have room. -> how many.   Thread: the reader's.
  // REQUIRES: i is not below what was freed.
  size_t Read(uint64_t i, std::span<TraceRecord> records) const;
  // The records before the i-th are not needed any more: their room is free.   Thread: the reader's.
  void Free(uint64_t i) { freed_.store(i, std::memory_order_release); }

  // Records so far, with those that were freed, and what was dropped.
  uint64_t count() const { return claimed_.load(std::memory_order_acquire); }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kChunk = 4096;
  struct Slot {
    std::atomic<uint64_t> ready{0};  // the number of its record plus 1, once that is whole
    TraceRecord record;
  };
  using Chunk = std::array<Slot, kChunk>;

  std::atomic<Chunk*>& ChunkOf(uint64_t i) { return chunks_[i / kChunk % chunks_.size()]; }
  const std::atomic<Chunk*>& ChunkOf(uint64_t i) const { return chunks_[i / kChunk % chunks_.size()]; }
  // The chunk of the i-th record; null without memory.
  Chunk* Reach(uint64_t i);

  const uint64_t limit_;
  const uint64_t start_;
  const std::shared_ptr<TraceBell> bell_;
  std::vector<std::atomic<Chunk*>> chunks_;  // owned; null until first needed
  std::atomic<uint64_t> events_{0};
  std::atomic<uint64_t> claimed_{0};
  std::atomic<uint64_t> freed_{0};
  std::atomic<uint64_t> dropped_{0};
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_REQUEST_TRACE_H_
