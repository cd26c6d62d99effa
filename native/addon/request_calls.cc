#include "addon/request_calls.h"

#include <utility>

#include "addon/args.h"
#include "addon/copy_call.h"
#include "addon/define.h"
#include "addon/edge.h"
#include "addon/extents_call.h"
#include "addon/outcome.h"
#include "addon/range_call.h"
#include "addon/transfer_call.h"
#include "core/base/aligned_buffer.h"
#include "core/host/copy.h"

namespace blk_addon {
namespace {

using Device = const std::shared_ptr<DeviceState>&;

// Every request comes through here: finds the device of its target and answers EBADF for a closed one. It has `most`
// arguments.
template <napi_value (*request)(const Args&, Device), size_t most = Args::kMax>
napi_value Invoke(napi_env env, napi_callback_info info) {
  const Args args(env, info, most);
  void* target = nullptr;
  if (napi_get_value_external(env, args.at(0), &target) != napi_ok) return nullptr;
  // Externals of this addon that lib hands over here are all of one kind: those of MakeRequestTarget().
  Device device = *static_cast<const std::shared_ptr<DeviceState>*>(target);
  if (!device->open()) return ToFailure(env, {EBADF, blk::Op::kStrategy});
  return OrNoMemory(env, [&] { return request(args, device); });
}

// Of reads and writes: (target, view, position, fua, token, offset, length), where a read has no fua and a Sync form no
// token. Without the last two it is all of the view: most requests are, and to read two numbers takes 5 ns. A Sync
// write of all of the view by the cache mode has no fua either.
enum class Form : uint8_t { kSync, kQueued };
inline constexpr size_t kFuaAt = 3;
inline constexpr size_t TokenAt(blk::Operation op) { return op == blk::Operation::kWrite ? kFuaAt + 1 : kFuaAt; }
inline constexpr size_t OffsetAt(blk::Operation op, Form form) { return TokenAt(op) + (form == Form::kQueued ? 1 : 0); }
// How many there are.
inline constexpr size_t MostOf(blk::Operation op, Form form) { return OffsetAt(op, form) + 2; }

template <blk::Operation op, Form form>
blk::Request BytesRequest(const Args& args, Device device) {
  constexpr size_t offset_at = OffsetAt(op, form);
  const ViewBytes part = args.Has(offset_at) ? args.Part(1, offset_at, offset_at + 1) : args.View(1);
  blk::Fua fua = blk::Fua::kByCacheMode;
  if constexpr (op == blk::Operation::kWrite) {
    if (args.Has(kFuaAt)) fua = static_cast<blk::Fua>(args.Int(kFuaAt));
  }
  // The position is not negative: lib refuses that. The length is that of the part, so no more is asked for than there
  // is.
  blk::Request request =
      device->device->BytesRequest(op, static_cast<uint64_t>(args.Int(2)), part.data, part.size, fua);
  request.lane = device->lane;
  return request;
}

// (target, op, blkno, view, deferred, token)
blk::Request BufRequest(const Args& args, Device device) {
  const ViewBytes view = args.View(3);
  const auto op = static_cast<blk::Operation>(args.Int(1));
  blk::Request request = device->device->BufRequest(op, args.Int(2), view.data, view.size, args.Bool(4));
  request.lane = device->lane;
  return request;
}

// On memory of ours, for a view whose own the host must not touch. Out of RunInline(), which stays small.
[[gnu::noinline]] napi_value RunApart(const Args& args, Device device, blk::Request& request) {
  const blk::AlignedBuffer memory(request.length);
  if (memory.data() == nullptr) return ToFailure(args.env(), {ENOMEM, blk::Op::kStrategy});
  uint8_t* const view = std::exchange(request.data, memory.data());
  if (request.operation == blk::Operation::kWrite) blk::CopyBytes(memory.data(), view, request.length);
  device->device->Run(request);
  if (request.operation == blk::Operation::kRead) blk::CopyBytes(view, memory.data(), request.moved);
  return ToOutcome(args.env(), request);
}

// The Sync forms: on this thread, and straight into the caller's view, which cannot go while it runs. `whole`: it is of
// all of the view.
// -> undefined where all of a whole view was moved, as almost always: no number has to be made then.
napi_value RunInline(const Args& args, Device device, blk::Request& request, bool whole) {
  if (device->lent.Meets(request.data, request.length)) return RunApart(args, device, request);
  device->device->Run(request);
  if (whole && request.moved == request.length && request.status.ok()) return nullptr;
  return ToOutcome(args.env(), request);
}

template <blk::Operation op>
napi_value BytesSync(const Args& args, Device device) {
  blk::Request request = BytesRequest<op, Form::kSync>(args, device);
  return RunInline(args, device, request, !args.Has(OffsetAt(op, Form::kSync)));
}

napi_value StrategySync(const Args& args, Device device) {
  blk::Request request = BufRequest(args, device);
  return RunInline(args, device, request, true);
}

template <blk::Operation op>
napi_value BytesQueued(const Args& args, Device device) {
  constexpr size_t offset_at = OffsetAt(op, Form::kQueued);
  const size_t offset = args.Has(offset_at) ? static_cast<size_t>(args.Int(offset_at)) : 0;
  return TransferCall::Submit(args.env(), device, BytesRequest<op, Form::kQueued>(args, device), args.at(1), offset,
                              static_cast<uint64_t>(args.Int(TokenAt(op))));
}

napi_value StrategyQueued(const Args& args, Device device) {
  return TransferCall::Submit(args.env(), device, BufRequest(args, device), args.at(3), 0,
                              static_cast<uint64_t>(args.Int(5)));
}

// Of ranges, which move none of the caller's memory: (target, position, length, ...).
blk::Request RangeRequest(const Args& args, Device device, blk::Operation op, blk::Fua fua = blk::Fua::kByCacheMode) {
  // Neither is negative: lib refuses that.
  blk::Request request =
      device->device->RangeRequest(op, static_cast<uint64_t>(args.Int(1)), static_cast<uint64_t>(args.Int(2)), fua);
  request.lane = device->lane;
  return request;
}

// (target, position, length, mayUnmap, fast, fua)
blk::Request ZeroesRequest(const Args& args, Device device) {
  blk::Request request = RangeRequest(args, device, blk::Operation::kZero, static_cast<blk::Fua>(args.Int(5)));
  request.keep_room = !args.Bool(3);
  request.fast = args.Bool(4);
  return request;
}

// (target, op, blkno, bcount, deferred)
blk::Request RangeBufRequest(const Args& args, Device device) {
  blk::Request request = device->device->BufRequest(static_cast<blk::Operation>(args.Int(1)), args.Int(2), nullptr,
                                                    static_cast<size_t>(args.Int(3)), args.Bool(4));
  request.lane = device->lane;
  return request;
}

napi_value RangeInline(const Args& args, Device device, blk::Request request) {
  device->device->Run(request);
  return ToOutcome(args.env(), request);
}

napi_value RangeQueued(const Args& args, Device device, const blk::Request& request, size_t token_at) {
  return RangeCall::Submit(args.env(), device, request, static_cast<uint64_t>(args.Int(token_at)));
}

napi_value DiscardSync(const Args& args, Device device) {
  return RangeInline(args, device, RangeRequest(args, device, blk::Operation::kDiscard));
}
napi_value Discard(const Args& args, Device device) {
  return RangeQueued(args, device, RangeRequest(args, device, blk::Operation::kDiscard), 3);
}
napi_value WriteZeroesSync(const Args& args, Device device) {
  return RangeInline(args, device, ZeroesRequest(args, device));
}
napi_value WriteZeroes(const Args& args, Device device) {
  return RangeQueued(args, device, ZeroesRequest(args, device), 6);
}

napi_value StrategyRangeSync(const Args& args, Device device) {
  return RangeInline(args, device, RangeBufRequest(args, device));
}
napi_value StrategyRange(const Args& args, Device device) {
  return RangeQueued(args, device, RangeBufRequest(args, device), 5);
}

// (target, position, length), here and now: nobody waits for bytes. Its outcome is nobody's.
napi_value Prefetch(const Args& args, Device device) {
  static_cast<void>(RangeInline(args, device, RangeRequest(args, device, blk::Operation::kPrefetch)));
  return nullptr;
}

// (target, position, length, layer)
ExtentsWanted WantedExtents(const Args& args) {
  // None is negative: lib refuses that.
  return {static_cast<uint64_t>(args.Int(1)), static_cast<uint64_t>(args.Int(2)),
          static_cast<blk::ExtentLayer>(args.Int(3))};
}
napi_value ExtentsSync(const Args& args, Device device) {
  return ListExtents(args.env(), *device->device, WantedExtents(args), device->lane);
}
// (target, source, from, at, length, cloneOnly, targetIsZero, token)
napi_value CopyRange(const Args& args, Device device) {
  void* from = nullptr;
  if (napi_get_value_external(args.env(), args.at(1), &from) != napi_ok) return nullptr;
  Device source = *static_cast<const std::shared_ptr<DeviceState>*>(from);
  if (!source->open()) return ToFailure(args.env(), {EBADF, blk::Op::kCopy});
  // None is negative: lib refuses that.
  const CopyWanted wanted{static_cast<uint64_t>(args.Int(2)), static_cast<uint64_t>(args.Int(3)),
                          static_cast<uint64_t>(args.Int(4)), args.Bool(5), args.Bool(6)};
  return CopyCall::Submit(args.env(), device, source, wanted, static_cast<uint64_t>(args.Int(7)));
}
napi_value Extents(const Args& args, Device device) {
  return ExtentsCall::Submit(args.env(), device, WantedExtents(args), static_cast<uint64_t>(args.Int(4)));
}

}  // namespace

napi_value MakeRequestTarget(napi_env env, const std::shared_ptr<DeviceState>& device) {
  // On the heap, as an external holds a plain pointer; `drop` is its finalizer.
  auto* held = new std::shared_ptr<DeviceState>(device);
  const auto drop = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<DeviceState>*>(data); };
  napi_value target = nullptr;
  // Fails only in a thread that is being terminated.
  if (napi_create_external(env, held, drop, nullptr, &target) != napi_ok) delete held;
  return target;
}

void DefineRequestCalls(napi_env env, napi_value exports) {
  using blk::Operation;
  const auto define = [&](const char* name, napi_callback call) { DefineFunction(env, exports, name, call); };
  define("readSync", Invoke<BytesSync<Operation::kRead>, MostOf(Operation::kRead, Form::kSync)>);
  define("writeSync", Invoke<BytesSync<Operation::kWrite>, MostOf(Operation::kWrite, Form::kSync)>);
  define("strategySync", Invoke<StrategySync>);
  define("read", Invoke<BytesQueued<Operation::kRead>, MostOf(Operation::kRead, Form::kQueued)>);
  define("write", Invoke<BytesQueued<Operation::kWrite>, MostOf(Operation::kWrite, Form::kQueued)>);
  define("strategy", Invoke<StrategyQueued>);
  define("discardSync", Invoke<DiscardSync>);
  define("discard", Invoke<Discard>);
  define("writeZeroesSync", Invoke<WriteZeroesSync>);
  define("writeZeroes", Invoke<WriteZeroes>);
  define("strategyRangeSync", Invoke<StrategyRangeSync>);
  define("strategyRange", Invoke<StrategyRange>);
  define("prefetch", Invoke<Prefetch>);
  define("extentsSync", Invoke<ExtentsSync>);
  define("extents", Invoke<Extents>);
  define("copyRange", Invoke<CopyRange>);
}

}  // namespace blk_addon
