#include "addon/change_calls.h"

#include <cstddef>

#include "addon/args.h"
#include "addon/define.h"
#include "addon/edge.h"
#include "addon/outcome.h"

namespace blk_addon {
namespace {

using blk::TrackedChanges;

// Externals of this addon that lib hands over here are all of one kind: those of ToExternal().
TrackedChanges& ChangesAt(const Args& args, size_t i) {
  void* changes = nullptr;
  napi_get_value_external(args.env(), args.at(i), &changes);
  return *static_cast<TrackedChanges*>(changes);
}

void Drop(napi_env, void* data, void*) { delete static_cast<TrackedChanges*>(data); }

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

// (changes) -> changes, or ENOMEM as a failure.
napi_value TakeChanges(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return ToExternal(env, ChangesAt(args, 0).Take());
}

napi_value ClearChanges(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  ChangesAt(args, 0).Clear();
  return nullptr;
}

// (changes, from) -> whether both are of the same bytes; else nothing is merged.
napi_value MergeChanges(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  TrackedChanges& changes = ChangesAt(args, 0);
  const TrackedChanges& from = ChangesAt(args, 1);
  const bool alike = changes.IsLike(from);
  if (alike) changes.Merge(from);
  return Napi::Boolean::New(env, alike);
}

napi_value EndChanges(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  ChangesAt(args, 0).End();
  return nullptr;
}

}  // namespace

napi_value ToExternal(napi_env env, std::unique_ptr<TrackedChanges> changes) {
  napi_value external = nullptr;
  if (napi_create_external(env, changes.get(), Drop, nullptr, &external) != napi_ok) return nullptr;
  static_cast<void>(changes.release());  // the external's
  return external;
}

void DefineChangeFunctions(napi_env env, napi_value exports) {
  DefineFunction(env, exports, "changeBytes", Edge<ChangeBytes>);
  DefineFunction(env, exports, "changeRuns", Edge<ChangeRuns>);
  DefineFunction(env, exports, "takeChanges", Edge<TakeChanges>);
  DefineFunction(env, exports, "clearChanges", Edge<ClearChanges>);
  DefineFunction(env, exports, "mergeChanges", Edge<MergeChanges>);
  DefineFunction(env, exports, "endChanges", Edge<EndChanges>);
}

}  // namespace blk_addon
