#include "core/filter/trace_filter.h"

#include <chrono>
#include <utility>

#include "core/filter/fault_plan.h"
#include "core/request/decision.h"
#include "core/request/request.h"

namespace blk {
namespace {

// By the order of TraceFilter's operations; a copy is a write of the device that it is made to. Nobody waits for a
// prefetch.
constexpr size_t kNone = TraceFilter::kOperations;
constexpr size_t IndexOf(Operation operation) {
  switch (operation) {
    case Operation::kRead: return 0;
    case Operation::kWrite:
    case Operation::kCopy: return 1;
    case Operation::kFlush: return 2;
    case Operation::kDiscard: return 3;
    case Operation::kZero: return 4;
    case Operation::kPrefetch: break;
  }
  return kNone;
}

}  // namespace

uint64_t TraceClock() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void TraceFilter::Admit(Request& request) {
  if (IndexOf(request.operation) == kNone) return;
  Begun* const begun = trace_.load(std::memory_order_acquire);
  request.trace.filter = this;
  request.trace.trace = begun;
  // Entries of a batch begin together.
  if (request.trace.begun == 0) request.trace.begun = TraceClock();
  if (begun != nullptr) request.trace.number = begun->trace->NextNumber();
}

void TraceFilter::Completed(Request& request) {
  TraceContext& context = request.trace;
  if (context.ended == 0) context.ended = TraceClock();
  const uint64_t latency = context.ended - context.begun;
  const size_t operation = IndexOf(request.operation);
  const bool moves = request.operation != Operation::kFlush;
  if (Latencies* const latencies = latencies_.load(std::memory_order_acquire)) {
    LatencyOf& of = (*latencies)[operation];
    of.latency.Add(latency);
    if (!request.status.ok()) of.errors.fetch_add(1, std::memory_order_relaxed);
    if (moves && request.moved > 0) of.bytes.fetch_add(request.moved, std::memory_order_relaxed);
  }
  if (context.trace == nullptr) return;
  const auto& begun = *static_cast<const Begun*>(context.trace);
  TraceRecord record;
  record.number = context.number;
  record.done = begun.trace->NextNumber();
  record.time = context.begun - begun.trace->start();
  record.latency = latency;
  if (moves) {
    record.position = request.position;
    record.length = request.length;
    record.moved = request.moved;
  }
  record.err = request.status.err;
  record.device = begun.device;
  record.operation = request.operation;
  record.durable = request.durable && Mutates(request.operation);
  const Decision* const decided = request.plan.decided.get();
  record.injected = decided != nullptr ? decided->shown()
                    : request.injected ? ShownAs(FaultKind::kGenerator)
                                       : uint8_t{0};
  begun.trace->Add(record);
}

void TraceFilter::Measure() {
  MutexLock lock(mu_);
  if (measured_) return;
  measured_ = std::make_unique<Latencies>();
  latencies_.store(measured_.get(), std::memory_order_release);
}

bool TraceFilter::Begin(std::shared_ptr<RequestTrace> trace, uint16_t device, bool idle) {
  MutexLock lock(mu_);
  if (trace_.load(std::memory_order_relaxed) != nullptr) return false;
  if (idle) begun_.clear();
  begun_.push_back(std::make_unique<Begun>(Begun{std::move(trace), device}));
  trace_.store(begun_.back().get(), std::memory_order_release);
  return true;
}

bool TraceFilter::End(const RequestTrace& trace) {
  MutexLock lock(mu_);
  const Begun* const on = trace_.load(std::memory_order_relaxed);
  if (on == nullptr || on->trace.get() != &trace) return false;
  trace_.store(nullptr, std::memory_order_release);
  return true;
}

}  // namespace blk
