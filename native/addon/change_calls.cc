#include "addon/change_calls.h"

#include <algorithm>
#include <cstddef>

#include "addon/define.h"
#include "addon/edge.h"
#include "addon/outcome.h"
#include "core/device/device_group.h"

namespace blk_addon {
namespace {

using blk::TrackedChanges;

// Externals of this addon that lib hands over here are all of one kind: those of ToExternal().
using Held = std::shared_ptr<TrackedChanges>;

TrackedChanges& ChangesAt(const Args& args, size_t i) { return *ChangesOf(args.env(), args.at(i)); }

void Drop(napi_env, void* data, void*) { delete static_cast<Held*>(data); }

napi_value ToExternal(napi_env env, std::unique_ptr<TrackedChanges> changes) {
  auto held = std::make_unique<Held>(std::move(changes));
  napi_value external = nullptr;
  if (napi_create_external(env, held.get(), Drop, nullptr, &external) != napi_ok) return nullptr;
  static_cast<void>(held.release());  // the external's
  return external;
}

// The changes, or the failure.
napi_value ToExternal(napi_env env, blk::Result<std::unique_ptr<TrackedChanges>> changes) {
  return changes.ok() ? ToExternal(env, changes.Take()) : ToFailure(env, changes.status());
}

// (changes) -> bytes of the blocks that are marked.
napi_value ChangeBytes(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return Napi::Number::New(env, static_cast<double>(ChangesAt(args, 0).bytes()));
}

// (changes, from, runs) -> how many were filled in: of each its first byte, then its length. `runs` is a Float64Array.
napi_value ChangeRuns(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const TrackedChanges& changes = ChangesAt(args, 0);
  const ViewBytes view = args.View(2);
  auto* const runs = reinterpret_cast<double*>(view.data);
  const size_t room = view.size / (2 * sizeof(double));
  size_t count = 0;
  for (auto from = static_cast<uint64_t>(args.Int(1)); count < room; count++) {
    const blk::ByteSpan run = changes.NextRun(from);
    if (run.empty()) break;
    runs[2 * count] = static_cast<double>(run.begin);
    runs[2 * count + 1] = static_cast<double>(run.end - run.begin);
    from = run.end;
  }
  return Napi::Number::New(env, static_cast<double>(count));
}

// (changes) -> changes, or a failure: ENOMEM, EBADF.
napi_value TakeChanges(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return ToExternal(env, ChangesAt(args, 0).Take());
}

// (changes) -> whether no marks were lost.
napi_value ChangesConsistent(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return Napi::Boolean::New(env, ChangesAt(args, 0).consistent());
}

// (changes) -> 0, or EBADF as a failure.
napi_value ClearChanges(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return ToOutcome(env, ChangesAt(args, 0).Clear());
}

// (changes, from) -> whether both are of the same bytes; else nothing is merged. Or EBADF as a failure.
napi_value MergeChanges(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  TrackedChanges& changes = ChangesAt(args, 0);
  const TrackedChanges& from = ChangesAt(args, 1);
  const bool alike = changes.IsLike(from);
  if (alike) {
    const blk::Status merged = changes.Merge(from);
    if (!merged.ok()) return ToFailure(env, merged);
  }
  return Napi::Boolean::New(env, alike);
}

// (changes, device) -> whether they are of the bytes of the device; EBADF as a failure: they are over.
napi_value ChangesOfDevice(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const TrackedChanges& changes = ChangesAt(args, 0);
  void* device = nullptr;
  napi_get_value_external(env, args.at(1), &device);
  const std::shared_ptr<DeviceState>& state = *static_cast<const std::shared_ptr<DeviceState>*>(device);
  if (changes.over()) return ToFailure(env, {EBADF, blk::Op::kServe, blk::Why::kBitmapOver});
  return Napi::Boolean::New(env, changes.IsOf(state->device->minor()));
}

napi_value EndChanges(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  ChangesAt(args, 0).End();
  return nullptr;
}

}  // namespace

std::shared_ptr<TrackedChanges> ChangesOf(napi_env env, napi_value external) {
  void* held = nullptr;
  napi_get_value_external(env, external, &held);
  return *static_cast<Held*>(held);
}

// (granularity) -> changes, or ENOMEM as a failure.
napi_value Track(const Args& args, const std::shared_ptr<DeviceState>& device) {
  return ToExternal(args.env(), device->driver->driver.Track(*device->device, static_cast<uint64_t>(args.Int(0))));
}

// (name, granularity or undefined) -> changes, or a failure.
napi_value Keep(const Args& args, const std::shared_ptr<DeviceState>& device) {
  return ToExternal(args.env(), blk::DeviceGroup::Keep(*device->device, args.Text(0), args.OptionalNumber(1)));
}

// -> {bitmaps}, of each [name in bytes, granularity, whether it is consistent, and on]; or a failure.
napi_value Bitmaps(const Args& args, const std::shared_ptr<DeviceState>& device) {
  const Napi::Env env(args.env());
  const auto list = blk::DeviceGroup::ListKept(*device->device);
  if (!list.ok()) return ToFailure(env, list.status());
  Napi::Array bitmaps = Napi::Array::New(env, list.value().size());
  if (bitmaps.IsEmpty()) return nullptr;  // the thread is being terminated
  uint32_t i = 0;
  for (const blk::KeptBitmap& bitmap : list.value()) {
    Napi::Array one = Napi::Array::New(env, 4);
    one.Set(uint32_t{0}, Napi::Buffer<char>::Copy(env, bitmap.name.data(), bitmap.name.size()));
    one.Set(uint32_t{1}, static_cast<double>(uint64_t{1} << std::min(bitmap.shift, 63u)));
    one.Set(uint32_t{2}, bitmap.consistent);
    one.Set(uint32_t{3}, bitmap.on);
    bitmaps.Set(i++, one);
  }
  Napi::Object found = Napi::Object::New(env);  // an array is a failure
  found.Set("bitmaps", bitmaps);
  return found;
}

// (name) -> whether there was one, or a failure.
napi_value RemoveBitmap(const Args& args, const std::shared_ptr<DeviceState>& device) {
  const blk::Result<bool> removed = blk::DeviceGroup::RemoveKept(*device->device, args.Text(0));
  if (!removed.ok()) return ToFailure(args.env(), removed.status());
  return Napi::Boolean::New(args.env(), removed.value());
}

void DefineChangeFunctions(napi_env env, napi_value exports) {
  DefineFunction(env, exports, "changeBytes", Edge<ChangeBytes>);
  DefineFunction(env, exports, "changeRuns", Edge<ChangeRuns>);
  DefineFunction(env, exports, "takeChanges", Edge<TakeChanges>);
  DefineFunction(env, exports, "changesConsistent", Edge<ChangesConsistent>);
  DefineFunction(env, exports, "clearChanges", Edge<ClearChanges>);
  DefineFunction(env, exports, "mergeChanges", Edge<MergeChanges>);
  DefineFunction(env, exports, "changesOf", Edge<ChangesOfDevice>);
  DefineFunction(env, exports, "endChanges", Edge<EndChanges>);
}

}  // namespace blk_addon
