#include "addon/driver_wrap.h"

#include <cstring>
#include <vector>

#include "addon/args.h"
#include "addon/define.h"
#include "addon/device_wrap.h"
#include "addon/edge.h"
#include "addon/fault_calls.h"
#include "addon/image_overlay_calls.h"
#include "addon/minor_calls.h"
#include "addon/outcome.h"
#include "addon/overlay_calls.h"
#include "addon/promise_call.h"
#include "addon/source.h"

namespace blk_addon {
namespace {

using Driver = const std::shared_ptr<DriverState>&;

// Every method comes through here.
template <napi_value (*method)(const Args&, Driver)>
napi_value Method(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const DriverWrap* wrap = args.Self<DriverWrap>();
  if (wrap == nullptr) return nullptr;
  if (!wrap->state()) return ToFailure(env, {ENOMEM, blk::Op::kRegister});
  return OrNoMemory(env, [&] { return method(args, wrap->state()); });
}

// ---- opening: (mode, raw, access, cache, direct, lock, protect) from argument `i` on

struct Opened {
  blk::Result<std::shared_ptr<blk::Device>> device = std::shared_ptr<blk::Device>();
  int holder = 0;  // who is in the way, when it failed with EBUSY
};

blk::OpenOptions OptionsAt(const Args& args, size_t i) {
  blk::OpenOptions options;
  options.mode = static_cast<blk::OpenMode>(args.Int(i));
  options.raw = args.Bool(i + 1);
  options.access = static_cast<blk::Access>(args.Int(i + 2));
  options.cache = static_cast<blk::CacheMode>(args.Int(i + 3));
  options.direct = args.Bool(i + 4);
  // LOCK of lib/native/binding.ts.
  options.lock = args.Int(i + 5) != 0;
  options.lock_growth = args.Int(i + 5) == 2;
  // Pairs of doubles; copied out, since nothing says where the view begins.
  const ViewBytes spans = args.View(i + 6);
  for (size_t at = 0; at + 2 * sizeof(double) <= spans.size; at += 2 * sizeof(double)) {
    double span[2];
    std::memcpy(span, spans.data + at, sizeof(span));
    // What lib lets nobody hand over, a NaN say, guards everything: more than was meant rather than less.
    const auto most = static_cast<double>(blk::kMaxSafeInteger);
    if (!(span[0] >= 0 && span[0] <= most)) span[0] = 0;
    if (!(span[1] >= span[0] && span[1] <= most)) span[1] = most;
    options.protect.push_back({static_cast<uint64_t>(span[0]), static_cast<uint64_t>(span[1])});
  }
  return options;
}

// -> a NativeDevice, or a failure with whoever is in the way.
napi_value ToDevice(napi_env env, Driver state, const Opened& opened) {
  if (!opened.device.ok()) return ToFailure(env, opened.device.status(), {.holder = opened.holder});
  return DeviceWrap::Create(env, std::make_shared<DeviceState>(state, opened.device.value()));
}

// `open(int* holder)` gives the core's device.
template <typename OpenFn>
napi_value OpenNow(const Args& args, Driver state, OpenFn open) {
  Opened opened;
  opened.device = open(&opened.holder);
  return ToDevice(args.env(), state, opened);
}

// Arguments are read before it is queued: JavaScript's values are gone when the worker runs.
template <typename OpenFn>
napi_value OpenQueued(const Args& args, Driver state, OpenFn open) {
  return Promise(
      args.env(), state,
      [open](blk::Lane) {
        Opened opened;
        opened.device = open(&opened.holder);
        return opened;
      },
      [state](napi_env env, const Opened& opened) { return ToDevice(env, state, opened); });
}

// (minor, ...options)
auto ByMinor(const Args& args, Driver state) {
  const auto minor = static_cast<int>(args.Int(0));
  return [state, minor, options = OptionsAt(args, 1),
          admitted = state->driver.AdmitOpen(minor)](int* holder) -> blk::Result<std::shared_ptr<blk::Device>> {
    if (!admitted.ok()) return admitted;
    return state->driver.Open(minor, options, holder);
  };
}

// (source, offset, size, sector size, format, partition, ...options)
auto BySource(const Args& args, Driver state) {
  return [state, source = Source::At(args, 0, 4), range = RangeAt(args, 1), partition = args.Text(5),
          options = OptionsAt(args, 6), admitted = state->driver.AdmitOpen(blk::kPrivateMinor)](
             int* holder) -> blk::Result<std::shared_ptr<blk::Device>> {
    if (!admitted.ok()) return admitted;
    return source.OpenPrivate(state->driver, range, partition, options, holder);
  };
}

napi_value OpenSync(const Args& args, Driver state) { return OpenNow(args, state, ByMinor(args, state)); }
napi_value Open(const Args& args, Driver state) { return OpenQueued(args, state, ByMinor(args, state)); }
napi_value OpenPathSync(const Args& args, Driver state) { return OpenNow(args, state, BySource(args, state)); }
napi_value OpenPath(const Args& args, Driver state) { return OpenQueued(args, state, BySource(args, state)); }

// ---- counters, faults, close

// The constructor has no way to fail: whether there was memory for the driver, and its engine, is asked here.
napi_value Ready(const Args& args, Driver state) { return ToOutcome(args.env(), state->driver.CheckEngine()); }

// -> 1: the host does by itself what waits for a disk; 0: workers do.
napi_value HasRing(const Args& args, Driver state) { return ToNumber(args.env(), state->driver.has_ring() ? 1 : 0); }

napi_value Counters(const Args& args, Driver state) {
  // As doubles, which hold every count that a process lives to see.
  const blk::Counters::Values values = state->driver.counters().Snapshot();
  Napi::Float64Array array = Napi::Float64Array::New(args.env(), values.size());
  if (array.IsEmpty()) return nullptr;  // the thread is being terminated
  for (size_t i = 0; i < values.size(); i++) array[i] = static_cast<double>(values[i]);
  return array;
}

napi_value ResetCounters(const Args&, Driver state) {
  state->driver.counters().Reset();
  return nullptr;
}

napi_value SetFaults(const Args& args, Driver state) {
  return ToOutcome(args.env(),
                   state->driver.SetFaults({static_cast<uint32_t>(args.Int(0)), static_cast<uint32_t>(args.Int(1))}));
}

// Off, but with the seed still to be read: who clears after a failure wants to know how to repeat it.
napi_value ClearFaults(const Args& args, Driver state) {
  // Neither fails: what is taken out needs no memory.
  static_cast<void>(state->driver.SetFaults({0, state->driver.faults().seed}));
  return ToOutcome(args.env(), state->driver.SetPlan(nullptr));
}

// [rate, seed, injected] of lib/native/binding.ts. `injected` is since the driver was made, whatever resetCounters()
// did.
napi_value Faults(const Args& args, Driver state) {
  const blk::FaultInjector::Settings settings = state->driver.faults();
  const auto injected = state->driver.counters().Total(blk::Counter::kFaultsInjected);
  Napi::Array result = Napi::Array::New(args.env(), 3);
  result.Set(uint32_t{0}, settings.rate);
  result.Set(uint32_t{1}, settings.seed);
  result.Set(uint32_t{2}, static_cast<double>(injected));
  return result;
}

napi_value Close(const Args& args, Driver state) { return ToOutcome(args.env(), state->Close()); }

// ---- the class

// WINDOW_SIZE of lib/native/binding.ts.
blk::WindowSize ToWindowSize(int64_t number) {
  if (number == 0) return {};
  if (number < 0) return {blk::WindowSize::Kind::kAuto, 0};
  return {blk::WindowSize::Kind::kBytes, static_cast<uint64_t>(number)};
}

}  // namespace

Napi::Function DriverWrap::Define(Napi::Env env) {
  return DefineClass(env, "Driver",
                     {
                         Property("ready", Method<Ready>),
                         Property("hasRing", Method<HasRing>),
                         Property("registerSync", Method<RegisterSync>),
                         Property("register", Method<Register>),
                         Property("registerPartitionSync", Method<RegisterPartitionSync>),
                         Property("registerPartition", Method<RegisterPartition>),
                         Property("registerPartitionsSync", Method<RegisterPartitionsSync>),
                         Property("registerPartitions", Method<RegisterPartitions>),
                         Property("createQcow2Sync", Method<CreateQcow2Sync>),
                         Property("createQcow2", Method<CreateQcow2>),
                         Property("deregister", Method<Deregister>),
                         Property("openSync", Method<OpenSync>),
                         Property("open", Method<Open>),
                         Property("openPathSync", Method<OpenPathSync>),
                         Property("openPath", Method<OpenPath>),
                         Property("overlay", Method<OverlayOfSource>),
                         Property("imageOverlay", Method<ImageOverlayOfSource>),
                         Property("overlayImageInfo", Method<OverlayImageInfo>),
                         Property("minors", Method<Minors>),
                         Property("counters", Method<Counters>),
                         Property("resetCounters", Method<ResetCounters>),
                         Property("setFaults", Method<SetFaults>),
                         Property("clearFaults", Method<ClearFaults>),
                         Property("faults", Method<Faults>),
                         Property("setPlan", Method<SetPlan>),
                         Property("faultLog", Method<FaultLog>),
                         Property("releaseFaults", Method<ReleaseFaults>),
                         Property("awaitFault", Method<AwaitFault>),
                         Property("close", Method<Close>),
                     });
}

DriverWrap::DriverWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DriverWrap>(info) {
  const Args args(info.Env(), static_cast<napi_callback_info>(info));
  blk::DriverOptions options;
  // The casts lose nothing: lib/options.ts bounds each of them.
  options.minor_count = static_cast<uint32_t>(args.Int(0));
  options.window_size = ToWindowSize(args.Int(1));
  options.window_count = static_cast<uint32_t>(args.Int(2));
  options.queue_depth = static_cast<uint32_t>(args.Int(3));
  options.workers = static_cast<uint32_t>(args.Int(4));
  options.request_memory = static_cast<uint64_t>(args.Int(5));
  options.engine = static_cast<blk::Engine>(args.Int(6));
  EnvState& env_state = EnvState::Of(info.Env());
  const bool had_memory = blk::HadMemory([&] {
    state_ = std::make_shared<DriverState>(env_state.completion, options);
    env_state.Track(state_);
  });
  if (!had_memory) state_.reset();
}

}  // namespace blk_addon
