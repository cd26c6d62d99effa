#include "addon/trace_calls.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "addon/bell.h"
#include "addon/define.h"
#include "addon/edge.h"
#include "addon/env_state.h"
#include "addon/outcome.h"
#include "core/filter/trace_filter.h"

namespace blk_addon {
namespace {

// Numbers of one record in lib/native/binding.ts.
constexpr size_t kColumns = 12;

// Rings for each record that is added.
class RecordBell final : public blk::TraceBell {
 public:
  explicit RecordBell(std::shared_ptr<Completion> completion) : bell(std::move(completion)) {}
  void Added() override { bell.Ring(); }

  Bell bell;
};

// A trace, and the devices whose requests it gets; they may close and go.
class TraceOwner {
 public:
  TraceOwner(napi_env env, size_t limit)
      : bell_(std::make_shared<RecordBell>(EnvState::Of(env).completion)),
        trace_(std::make_shared<blk::RequestTrace>(limit, blk::TraceClock(), bell_)) {}
  ~TraceOwner() { End(); }
  TraceOwner(const TraceOwner&) = delete;
  TraceOwner& operator=(const TraceOwner&) = delete;

  blk::RequestTrace& trace() const { return *trace_; }
  Bell& bell() const { return bell_->bell; }

  // Errors: EBUSY.
  blk::Status Add(const std::shared_ptr<DeviceState>& device) {
    const auto index = static_cast<uint16_t>(devices_.size());
    devices_.push_back(device);
    return device->driver->driver.Trace(*device->device, trace_, index);
  }
  // Idempotent.
  void End() {
    for (const std::weak_ptr<DeviceState>& device : devices_) {
      if (const auto state = device.lock()) state->driver->driver.EndTrace(*state->device, *trace_);
    }
    devices_.clear();
  }

 private:
  const std::shared_ptr<RecordBell> bell_;
  const std::shared_ptr<blk::RequestTrace> trace_;
  std::vector<std::weak_ptr<DeviceState>> devices_;
};

// Externals of this addon that lib hands over here are all of one kind: those of StartTrace().
TraceOwner& TraceAt(const Args& args, size_t i) {
  void* trace = nullptr;
  napi_get_value_external(args.env(), args.at(i), &trace);
  return *static_cast<TraceOwner*>(trace);
}

void Drop(napi_env, void* data, void*) { delete static_cast<TraceOwner*>(data); }

// (targets, limit) -> trace, or a failure: EBUSY, ENOMEM, EBADF.
napi_value StartTrace(napi_env raw, napi_callback_info info) {
  const Args args(raw, info);
  auto owner = std::make_unique<TraceOwner>(raw, static_cast<size_t>(args.Int(1)));
  uint32_t count = 0;
  napi_get_array_length(raw, args.at(0), &count);
  for (uint32_t i = 0; i < count; i++) {
    napi_value element = nullptr;
    void* target = nullptr;
    napi_get_element(raw, args.at(0), i, &element);
    if (napi_get_value_external(raw, element, &target) != napi_ok) return nullptr;
    const auto& device = *static_cast<const std::shared_ptr<DeviceState>*>(target);
    if (!device->open()) return ToFailure(raw, {EBADF, blk::Op::kTrack});
    const blk::Status added = owner->Add(device);
    if (!added.ok()) return ToFailure(raw, added);
  }
  napi_value external = nullptr;
  if (napi_create_external(raw, owner.get(), Drop, nullptr, &external) != napi_ok) return nullptr;
  static_cast<void>(owner.release());  // the external's
  return external;
}

void ToRow(const blk::TraceRecord& record, double* row) {
  row[0] = static_cast<double>(record.number);
  row[1] = static_cast<double>(record.done);
  row[2] = static_cast<double>(record.time);
  row[3] = static_cast<double>(record.latency);
  row[4] = static_cast<double>(record.operation);
  row[5] = record.device;
  row[6] = static_cast<double>(record.position);
  row[7] = static_cast<double>(record.length);
  row[8] = static_cast<double>(record.moved);
  row[9] = record.err;
  row[10] = record.durable ? 1 : 0;
  row[11] = record.injected;
}

// (trace, from, into) -> how many rows were filled in; `into` is a Float64Array.
napi_value ReadTrace(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const blk::RequestTrace& trace = TraceAt(args, 0).trace();
  const ViewBytes view = args.View(2);
  auto* const rows = reinterpret_cast<double*>(view.data);
  const size_t room = view.size / (kColumns * sizeof(double));
  std::array<blk::TraceRecord, 64> records;
  size_t count = 0;
  while (count < room) {
    const size_t wanted = std::min(records.size(), room - count);
    const size_t read = trace.Read(static_cast<uint64_t>(args.Int(1)) + count, {records.data(), wanted});
    for (size_t i = 0; i < read; i++) ToRow(records[i], rows + (count + i) * kColumns);
    count += read;
    if (read < wanted) break;
  }
  return Napi::Number::New(env, static_cast<double>(count));
}

// (trace, upto)
napi_value FreeTrace(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  TraceAt(args, 0).trace().Free(static_cast<uint64_t>(args.Int(1)));
  return nullptr;
}

napi_value Pair(napi_env raw, uint64_t first, uint64_t second) {
  const Napi::Env env(raw);
  Napi::Array pair = Napi::Array::New(env, 2);
  if (pair.IsEmpty()) return nullptr;  // the thread is being terminated
  pair.Set(uint32_t{0}, static_cast<double>(first));
  pair.Set(uint32_t{1}, static_cast<double>(second));
  return pair;
}

// (trace) -> [records, dropped]
napi_value TraceState(napi_env env, napi_callback_info info) {
  const blk::RequestTrace& trace = TraceAt(Args(env, info), 0).trace();
  return Pair(env, trace.count(), trace.dropped());
}

// (trace) -> [number, ns since the start] of what happens now.
napi_value TraceNow(napi_env env, napi_callback_info info) {
  blk::RequestTrace& trace = TraceAt(Args(env, info), 0).trace();
  const uint64_t number = trace.NextNumber();
  return Pair(env, number, blk::TraceClock() - trace.start());
}

// (trace) -> a promise that is there when a record is, which is added from here on. REQUIRES: the one before has come.
napi_value AwaitTrace(napi_env env, napi_callback_info info) { return TraceAt(Args(env, info), 0).bell().Wait(env); }

napi_value EndTrace(napi_env env, napi_callback_info info) {
  TraceAt(Args(env, info), 0).End();
  return nullptr;
}

}  // namespace

// (into, reset) -> whether it was measured before; ENOMEM as a failure. `into`: a Float64Array, of each operation
// errors, bytes, sum, least, most, and its buckets.
napi_value Latencies(const Args& args, const std::shared_ptr<DeviceState>& device) {
  constexpr size_t kOwn = 5;
  constexpr size_t kRow = kOwn + blk::Histogram::kBuckets;
  blk::TraceFilter& tracer = device->device->tracer();
  const bool measured = tracer.measures();
  if (!measured) {
    const blk::Status status = device->driver->driver.Measure(*device->device);
    if (!status.ok()) return ToFailure(args.env(), status);
  }
  const ViewBytes view = args.View(0);
  if (view.size < blk::TraceFilter::kOperations * kRow * sizeof(double)) return nullptr;
  auto* row = reinterpret_cast<double*>(view.data);
  for (size_t i = 0; i < blk::TraceFilter::kOperations; i++, row += kRow) {
    blk::LatencyOf& of = tracer.latency(i);
    row[0] = static_cast<double>(of.errors.load(std::memory_order_relaxed));
    row[1] = static_cast<double>(of.bytes.load(std::memory_order_relaxed));
    row[2] = static_cast<double>(of.latency.sum());
    row[3] = static_cast<double>(of.latency.least());
    row[4] = static_cast<double>(of.latency.most());
    for (size_t k = 0; k < blk::Histogram::kBuckets; k++) row[kOwn + k] = static_cast<double>(of.latency.count(k));
    if (args.Bool(1)) {
      of.latency.Clear();
      of.errors.store(0, std::memory_order_relaxed);
      of.bytes.store(0, std::memory_order_relaxed);
    }
  }
  return Napi::Boolean::New(args.env(), measured);
}

void DefineTraceFunctions(napi_env env, napi_value exports) {
  DefineFunction(env, exports, "startTrace", Edge<StartTrace>);
  DefineFunction(env, exports, "readTrace", Edge<ReadTrace>);
  DefineFunction(env, exports, "freeTrace", Edge<FreeTrace>);
  DefineFunction(env, exports, "traceState", Edge<TraceState>);
  DefineFunction(env, exports, "traceNow", Edge<TraceNow>);
  DefineFunction(env, exports, "awaitTrace", Edge<AwaitTrace>);
  DefineFunction(env, exports, "endTrace", Edge<EndTrace>);
}

}  // namespace blk_addon
