#include "core/filter/request_trace.h"

#include <new>
#include <utility>

namespace blk {

RequestTrace::RequestTrace(size_t limit, uint64_t now, std::shared_ptr<TraceBell> bell)
    : limit_(limit), start_(now), bell_(std::move(bell)), chunks_((limit + kChunk - 1) / kChunk) {}

RequestTrace::~RequestTrace() {
  for (auto& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
}

RequestTrace::Chunk* RequestTrace::Reach(uint64_t i) {
  std::atomic<Chunk*>& place = ChunkOf(i);
  Chunk* chunk = place.load(std::memory_order_acquire);
  if (chunk != nullptr) return chunk;
  Chunk* const made = new (std::nothrow) Chunk;
  if (made == nullptr) return nullptr;
  // Of two that make one the first has its way.
  if (place.compare_exchange_strong(chunk, made, std::memory_order_acq_rel)) return made;
  delete made;
  return chunk;
}

void RequestTrace::Add(const TraceRecord& record) {
  uint64_t i = claimed_.load(std::memory_order_relaxed);
  Chunk* chunk = nullptr;
  do {
    // Acquire, with the release in Free(): what is freed has been read. A stale `i` fails below.
    const uint64_t freed = freed_.load(std::memory_order_acquire);
    chunk = i >= freed && i - freed >= limit_ ? nullptr : Reach(i);
    if (chunk == nullptr) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  } while (!claimed_.compare_exchange_weak(i, i + 1, std::memory_order_relaxed));
  Slot& slot = (*chunk)[i % kChunk];
  slot.record = record;
  // The record comes with it. In one order with what follows, and with those who wait first and look then: either they
  // see the record, or the bell finds them.
  slot.ready.store(i + 1, std::memory_order_seq_cst);
  if (bell_) bell_->Added();
}

size_t RequestTrace::Read(uint64_t i, std::span<TraceRecord> records) const {
  size_t count = 0;
  for (; count < records.size(); count++, i++) {
    const Chunk* const chunk = ChunkOf(i).load(std::memory_order_acquire);
    if (chunk == nullptr) break;
    const Slot& slot = (*chunk)[i % kChunk];
    if (slot.ready.load(std::memory_order_seq_cst) != i + 1) break;
    records[count] = slot.record;
  }
  return count;
}

}  // namespace blk
