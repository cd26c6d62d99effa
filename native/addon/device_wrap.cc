#include "addon/device_wrap.h"

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "addon/args.h"
#include "addon/batch_wrap.h"
#include "addon/change_calls.h"
#include "addon/define.h"
#include "addon/edge.h"
#include "addon/flush_call.h"
#include "addon/image_overlay_calls.h"
#include "addon/label_object.h"
#include "addon/lease_wrap.h"
#include "addon/outcome.h"
#include "addon/overlay_calls.h"
#include "addon/promise_call.h"
#include "addon/request_calls.h"
#include "addon/table_calls.h"
#include "addon/trace_calls.h"
#include "core/device/ioctl.h"

namespace blk_addon {
namespace {

using Device = const std::shared_ptr<DeviceState>&;

// Which devices a method is for: a device that is closing has requests in flight still.
enum class For { kOpen, kAny };

// Every method comes through here: finds the device behind `this` and answers EBADF for a closed one.
template <napi_value (*method)(const Args&, Device), For devices = For::kOpen>
napi_value Method(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const DeviceWrap* wrap = args.Self<DeviceWrap>();
  if (wrap == nullptr || wrap->state() == nullptr) return nullptr;  // an object that was made by hand, of no device
  if (devices == For::kOpen && !wrap->state()->open()) return ToFailure(env, {EBADF, blk::Op::kStrategy});
  return OrNoMemory(env, [&] { return method(args, wrap->state()); });
}

// ---- batches and leases

// (depth, control, arena)
napi_value CreateBatch(const Args& args, Device device) {
  return BatchWrap::Create(args.env(), device, static_cast<size_t>(args.Int(0)), args.at(1), args.at(2));
}

// (position, length)
napi_value Map(const Args& args, Device device) {
  // On this thread: mapping reads nothing from the disk. Under mmap it may wait for a window, as long as requests hold
  // all.
  auto lease = device->device->Map(static_cast<uint64_t>(args.Int(0)), static_cast<size_t>(args.Int(1)));
  if (!lease.ok()) return ToFailure(args.env(), lease.status());
  return LeaseWrap::Create(args.env(), device, lease.Take());
}

// ---- control

napi_value Cancel(const Args& args, Device device) {
  const auto found = device->by_token.find(static_cast<uint64_t>(args.Int(0)));
  // Not there: it has settled meanwhile.
  if (found != device->by_token.end()) found->second->Cancel(args.env());
  return nullptr;
}

Flushed FlushOn(blk::Device& device, blk::Lane lane) {
  Flushed flushed;
  flushed.status = device.Flush(lane, &flushed.lost);
  return flushed;
}

napi_value FlushSync(const Args& args, Device device) {
  return ToAnswer(args.env(), FlushOn(*device->device, device->lane));
}

napi_value Flush(const Args& args, Device device) { return FlushCall::Submit(args.env(), device); }

// The error of a lease that close() takes back comes first; what it lost is among what the flush has to tell.
Flushed CloseAfter(blk::Status detached, blk::Device& device, blk::Device::AdmittedFlush* flush, blk::Lane lane) {
  Flushed flushed;
  const blk::Status closed = device.Close(flush, lane, &flushed.lost);
  flushed.status = detached.ok() ? closed : detached;
  return flushed;
}

napi_value Close(const Args& args, Device device) {
  // The call first: without memory for it nothing has happened yet, and the device is open still. The driver's, since
  // the device's end with the close.
  auto detached = std::make_shared<blk::Status>();
  auto flush = std::make_shared<blk::Device::AdmittedFlush>(device->device->AdmitFlush());
  auto call = MakePromiseCall<DriverCall>(
      args.env(), device->driver,
      [core = device->device, detached, flush](blk::Lane lane) {
        return CloseAfter(*detached, *core, flush.get(), lane);
      },
      ToAnswer);
  call->HeldBy(flush->request.plan.decided);
  *detached = device->DetachLeases(args.env());
  return device->Close(std::move(call));
}

napi_value CloseSync(const Args& args, Device device) {
  // Waiting here would be for ever: calls settle on this thread (B16).
  const blk::Status idle = device->device->calls().CloseIdle();
  if (!idle.ok()) return ToFailure(args.env(), idle);
  const blk::Status detached = device->DetachLeases(args.env());
  return ToAnswer(args.env(), CloseAfter(detached, *device->device, nullptr, device->lane));
}

// [kind, device, inode] of a medium.
Napi::Array NumbersOf(Napi::Env env, const blk::MediumIdentity& medium) {
  Napi::Array numbers = Napi::Array::New(env, 3);
  numbers.Set(uint32_t{0}, static_cast<int>(medium.kind));
  numbers.Set(uint32_t{1}, Napi::BigInt::New(env, medium.device));
  numbers.Set(uint32_t{2}, Napi::BigInt::New(env, medium.inode));
  return numbers;
}

// [medium, begin, media below, medium in which it is scattered], as lib/native/binding.ts has it.
napi_value Place(const Args& args, Device device) {
  const Napi::Env env(args.env());
  blk::Medium& medium = device->device->minor().disk().medium();
  std::vector<blk::MediumIdentity> found;
  medium.AddBelow(found);
  Napi::Array below = Napi::Array::New(env, found.size());
  for (size_t i = 0; i < found.size(); i++) below.Set(static_cast<uint32_t>(i), NumbersOf(env, found[i]));
  const std::optional<blk::MediumIdentity> scattered = medium.Scattered();
  Napi::Array place = Napi::Array::New(env, scattered ? 4 : 3);
  place.Set(uint32_t{0}, NumbersOf(env, medium.identity()));
  place.Set(uint32_t{1}, static_cast<double>(device->device->minor().begin().value));
  place.Set(uint32_t{2}, below);
  if (scattered) place.Set(uint32_t{3}, NumbersOf(env, *scattered));
  return place;
}

napi_value Requests(const Args& args, Device device) { return MakeRequestTarget(args.env(), device); }

// [minor, size, access, path], as lib/native/binding.ts has it; the path in the host's own bytes, which need not be
// UTF-8.
napi_value Info(const Args& args, Device device) {
  const Napi::Env env(args.env());
  const blk::Minor& minor = device->device->minor();
  const std::string& name = minor.disk().medium().name();
  Napi::Array info = Napi::Array::New(env, 4);
  info.Set(uint32_t{0}, minor.index());
  info.Set(uint32_t{1}, static_cast<double>(minor.size()));
  info.Set(uint32_t{2}, static_cast<int>(device->device->access()));
  info.Set(uint32_t{3}, Napi::Buffer<char>::Copy(env, name.data(), name.size()));
  return info;
}

// [discard, fastZero, extents, fua, preferred, minimum], as lib/native/binding.ts has it.
napi_value Features(const Args& args, Device device) {
  const Napi::Env env(args.env());
  const blk::MediumFeatures& found = device->device->features();
  Napi::Array features = Napi::Array::New(env, 6);
  features.Set(uint32_t{0}, found.discard);
  features.Set(uint32_t{1}, found.fast_zero);
  features.Set(uint32_t{2}, found.extents);
  features.Set(uint32_t{3}, found.durable);
  features.Set(uint32_t{4}, static_cast<double>(found.preferred));
  features.Set(uint32_t{5}, static_cast<double>(found.minimum));
  return features;
}

// Three numbers a window in one array: thousands of windows would be thousands of objects.
napi_value Windows(const Args& args, Device device) {
  const std::vector<blk::WindowInfo> list = device->device->Windows();
  Napi::Float64Array flat = Napi::Float64Array::New(args.env(), list.size() * 3);
  if (flat.IsEmpty()) return nullptr;  // the thread is being terminated
  size_t i = 0;
  for (const blk::WindowInfo& window : list) {
    flat[i++] = static_cast<double>(window.offset.value);
    flat[i++] = static_cast<double>(window.length);
    flat[i++] = window.refs;
  }
  return flat;
}

// What each request answers: a label or a partition as an object, sizes as numbers, a failure as an array; lib tells
// them apart by that.
napi_value Ioctl(const Args& args, Device device) {
  const auto result = blk::Ioctl(*device->device, args.Text(0), args.OptionalNumber(1));
  if (!result.ok()) return ToFailure(args.env(), result.status());
  const Napi::Env env(args.env());
  const blk::IoctlResult& value = result.value();
  if (const auto* label = std::get_if<blk::DiskLabel>(&value)) return LabelToObject(env, *label);
  if (const auto* partition = std::get_if<blk::Partition>(&value)) return PartitionToObject(env, *partition);
  return ToNumber(args.env(), static_cast<double>(std::get<uint64_t>(value)));
}

}  // namespace

Napi::Function DeviceWrap::Define(Napi::Env env) {
  // By the names of NativeDevice in lib/native/binding.ts. Reads, writes and bufs are not among them: request_calls.h
  // says why.
  return DefineClass(env, "NativeDevice",
                     {
                         Property("info", Method<Info>),
                         Property("features", Method<Features>),
                         Property("requests", Method<Requests>),
                         Property("flushSync", Method<FlushSync>),
                         Property("flush", Method<Flush>),
                         Property("place", Method<Place>),
                         Property("createBatch", Method<CreateBatch>),
                         Property("map", Method<Map>),
                         Property("track", Method<Track>),
                         Property("keep", Method<Keep>),
                         Property("bitmaps", Method<Bitmaps>),
                         Property("latencies", Method<Latencies>),
                         Property("removeBitmap", Method<RemoveBitmap>),
                         Property("cancel", Method<Cancel, For::kAny>),
                         Property("ioctl", Method<Ioctl>),
                         Property("findLabelSync", Method<FindLabelSync>),
                         Property("findLabel", Method<FindLabel>),
                         Property("readTableSync", Method<ReadTableSync>),
                         Property("readTable", Method<ReadTable>),
                         Property("identifyContent", Method<IdentifyContent>),
                         Property("writeTableSync", Method<WriteTableSync>),
                         Property("writeTable", Method<WriteTable>),
                         Property("setLabel", Method<SetLabel>),
                         Property("wedges", Method<Wedges>),
                         Property("windows", Method<Windows>),
                         Property("overlay", Method<OverlayOfDevice>),
                         Property("imageOverlay", Method<ImageOverlayOfDevice>),
                         Property("overlayReset", Method<OverlayReset>),
                         Property("overlaySnapshot", Method<OverlaySnapshot>),
                         Property("overlayRevert", Method<OverlayRevert>),
                         Property("overlayCommit", Method<OverlayCommit>),
                         Property("overlayRebase", Method<OverlayRebase>),
                         Property("overlayDiff", Method<OverlayDiff>),
                         Property("close", Method<Close>),
                         Property("closeSync", Method<CloseSync>),
                     });
}

DeviceWrap::DeviceWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceWrap>(info) {
  if (info[0].IsExternal()) state_ = std::move(*info[0].As<Napi::External<std::shared_ptr<DeviceState>>>().Data());
}

napi_value DeviceWrap::Create(napi_env env, std::shared_ptr<DeviceState> state) {
  return EnvState::Of(env).device_constructor.New({Napi::External<std::shared_ptr<DeviceState>>::New(env, &state)});
}

}  // namespace blk_addon
