#include "addon/batch_wrap.h"

#include <utility>

#include "addon/batch_call.h"
#include "addon/batch_memory.h"
#include "addon/define.h"
#include "addon/edge.h"
#include "addon/outcome.h"
#include "core/base/aligned_buffer.h"

namespace blk_addon {
namespace {

// What a new wrap takes over, through the constructor's one external argument.
struct Parts {
  std::shared_ptr<DeviceState> device;
  size_t depth;
  napi_value control;
  napi_value arena;
};

// Bytes: the most that a promise form copies on the JavaScript thread, about 50 us of copying.
constexpr size_t kMaxNow = 512 * 1024;

bool FitsNow(const blk::BatchArrays& arrays, uint32_t count) {
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; i++) bytes += arrays.bcount[i];
  return bytes <= kMaxNow;
}

// -> the entries that succeeded.
uint32_t RunOn(DeviceState& state, const blk::BatchArrays& arrays, ViewBytes arena, uint32_t count) {
  blk::Device& device = *state.device;
  blk::BatchRun run(arrays, arena.data, arena.size, count, device.ForBatch());
  // On this thread and before anything runs: a seed fails the same entries in both forms.
  run.Admit();
  run.Run(false, state.lane, nullptr, [&] { return device.SyncBatch(state.lane); });
  return run.succeeded();
}

}  // namespace

blk::BatchArrays ArraysIn(uint8_t* control, size_t depth) {
  blk::BatchArrays arrays;
  // The casts are right because each column holds numbers of its own type from the start: lib fills them through typed
  // arrays over the same block, and a copy of the block is filled by memcpy.
  arrays.blkno = reinterpret_cast<double*>(control);
  uint32_t* words = reinterpret_cast<uint32_t*>(control + depth * sizeof(double));
  arrays.bcount = words;
  arrays.offset = words + depth;
  arrays.resid = words + 2 * depth;
  arrays.error = reinterpret_cast<int32_t*>(words + 3 * depth);
  arrays.op = reinterpret_cast<uint8_t*>(words + 4 * depth);
  arrays.fua = arrays.op + depth;
  return arrays;
}

napi_value BatchWrap::RunSync(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  BatchWrap* wrap = args.Self<BatchWrap>();
  if (wrap == nullptr) return nullptr;
  const uint32_t count = static_cast<uint32_t>(args.Int(0));
  const blk::Status status = wrap->Check(env, count);
  if (!status.ok()) return ToFailure(env, status);
  const ViewBytes arena = wrap->Arena(env);
  const blk::BatchArrays arrays = ArraysIn(wrap->Control(env).data, wrap->depth_);
  if (!wrap->device_->lent.Meets(arena.data, arena.size)) {
    return ToNumber(env, RunOn(*wrap->device_, arrays, arena, count));
  }
  // On memory of ours, for an arena that the host must not touch.
  const blk::AlignedBuffer memory(arena.size);
  if (memory.data() == nullptr) return ToFailure(env, {ENOMEM, blk::Op::kStrategy});
  CopyAsked(memory.data(), arena.data, arena.size, arrays, count, blk::BatchOp::kWrite);
  const uint32_t succeeded = RunOn(*wrap->device_, arrays, {memory.data(), arena.size}, count);
  CopyRead(arena.data, memory.data(), arena.size, arrays, count);
  return ToNumber(env, succeeded);
}

napi_value BatchWrap::Run(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  BatchWrap* wrap = args.Self<BatchWrap>();
  if (wrap == nullptr) return nullptr;
  const uint32_t count = static_cast<uint32_t>(args.Int(0));
  const blk::Status status = wrap->Check(env, count);
  if (!status.ok()) return ToFailure(env, status);
  const ViewBytes control = wrap->Control(env);
  const ViewBytes arena = wrap->Arena(env);
  const blk::BatchArrays arrays = ArraysIn(control.data, wrap->depth_);
  blk::BatchRun run(arrays, arena.data, arena.size, count, wrap->device_->device->ForBatch());
  run.Admit();
  // All reads, and none that would wait: done before the promise would be.
  const bool may_run = !wrap->device_->lent.Meets(arena.data, arena.size);
  if (may_run && FitsNow(arrays, count) && wrap->device_->driver->MayAnswerNow(0) &&
      run.Run(true, wrap->device_->lane, nullptr, [] { return blk::Status::Ok(); })) {
    return ToNumber(env, run.succeeded());
  }
  return BatchCall::Submit(env, args.self(), *wrap, std::move(run), static_cast<uint64_t>(args.Int(1)));
}

blk::Status BatchWrap::Check(napi_env env, size_t count) const {
  if (!device_->open()) return {EBADF, blk::Op::kStrategy};
  if (running_ != nullptr) return {EBUSY, blk::Op::kStrategy};
  return count <= depth_ && HasMemory(env) ? blk::Status::Ok() : blk::Status{EFAULT, blk::Op::kStrategy};
}

ViewBytes BatchWrap::BytesBehind(napi_env env, napi_ref reference) {
  napi_value view = nullptr;
  napi_get_reference_value(env, reference, &view);
  return BytesOf(env, view);
}

Napi::Function BatchWrap::Define(Napi::Env env) {
  return DefineClass(env, "NativeBatch", {Property("runSync", Edge<RunSync>), Property("run", Edge<Run>)});
}

BatchWrap::BatchWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BatchWrap>(info) {
  // `parts` is on the stack of Create(), which is still running.
  const Parts& parts = *info[0].As<Napi::External<Parts>>().Data();
  device_ = parts.device;
  depth_ = parts.depth;
  arena_size_ = BytesOf(info.Env(), parts.arena).size;
  napi_create_reference(info.Env(), parts.control, 1, &control_);
  napi_create_reference(info.Env(), parts.arena, 1, &arena_);
}

BatchWrap::~BatchWrap() {
  napi_delete_reference(Env(), control_);
  napi_delete_reference(Env(), arena_);
}

napi_value BatchWrap::Create(napi_env env, std::shared_ptr<DeviceState> device, size_t depth, napi_value control,
                             napi_value arena) {
  // Over the constructor, since only that can fill in a wrap before JavaScript sees it.
  Parts parts{std::move(device), depth, control, arena};
  return EnvState::Of(env).batch_constructor.New({Napi::External<Parts>::New(env, &parts)});
}

}  // namespace blk_addon
