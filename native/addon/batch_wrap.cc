#include "addon/batch_wrap.h"

#include <utility>
#include <vector>

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
  // A hang would be for ever here: the entry fails instead, done or not.
  std::vector<uint32_t> hanging;
  std::vector<blk::HoldTicket*> held;
  run.EachDecision([&](uint32_t i, const auto& decided) {
    if (decided->hold() == nullptr) return;
    if (decided->hold()->hangs()) {
      hanging.push_back(i);
    } else {
      held.push_back(decided->hold());
    }
  });
  run.Run(false, state.lane, nullptr,
          [&](const blk::BatchSync& what) { return device.SyncBatch(run.entry(), state.lane, what); });
  for (const uint32_t i : hanging) run.FailEntry(i, EDEADLK);
  for (blk::HoldTicket* ticket : held) ticket->WaitHere();
  return run.succeeded();
}

}  // namespace

napi_value BatchWrap::RunSync(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  BatchWrap* wrap = args.Self<BatchWrap>();
  if (wrap == nullptr) return nullptr;
  const uint32_t count = static_cast<uint32_t>(args.Int(0));
  const blk::Status status = wrap->Check(count);
  if (!status.ok()) return ToFailure(env, status);
  const BatchState& state = *wrap->state_;
  const ViewBytes arena = state.Arena();
  const blk::BatchArrays arrays = ArraysIn(state.Control().data, state.depth);
  if (!state.device->lent.Meets(arena.data, arena.size)) {
    return ToNumber(env, RunOn(*state.device, arrays, arena, count));
  }
  // On memory of ours, for an arena that the host must not touch.
  const blk::AlignedBuffer memory(arena.size);
  if (memory.data() == nullptr) return ToFailure(env, {ENOMEM, blk::Op::kStrategy});
  CopyAsked(memory.data(), arena.data, arena.size, arrays, count, blk::BatchOp::kWrite);
  const uint32_t succeeded = RunOn(*state.device, arrays, {memory.data(), arena.size}, count);
  CopyRead(arena.data, memory.data(), arena.size, arrays, count);
  return ToNumber(env, succeeded);
}

napi_value BatchWrap::Run(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  BatchWrap* wrap = args.Self<BatchWrap>();
  if (wrap == nullptr) return nullptr;
  const uint32_t count = static_cast<uint32_t>(args.Int(0));
  const blk::Status status = wrap->Check(count);
  if (!status.ok()) return ToFailure(env, status);
  BatchState& state = *wrap->state_;
  DeviceState& device = *state.device;
  const ViewBytes arena = state.Arena();
  const blk::BatchArrays arrays = ArraysIn(state.Control().data, state.depth);
  blk::BatchRun run(arrays, arena.data, arena.size, count, device.device->ForBatch());
  run.Admit();
  // All reads, and none that would wait: done before the promise would be.
  const bool may_run = !device.lent.Meets(arena.data, arena.size);
  bool decided = false;
  run.EachDecision([&](uint32_t, const auto&) { decided = true; });
  if (may_run && !decided && FitsNow(arrays, count) && device.driver->MayAnswerNow(0) &&
      run.Run(true, device.lane, nullptr, [](const blk::BatchSync&) { return blk::Status::Ok(); })) {
    return ToNumber(env, run.succeeded());
  }
  return BatchCall::Submit(env, args.self(), state, std::move(run), static_cast<uint64_t>(args.Int(1)));
}

blk::Status BatchWrap::Check(size_t count) const {
  if (!state_->device->open()) return {EBADF, blk::Op::kStrategy};
  if (state_->running) return {EBUSY, blk::Op::kStrategy};
  return count <= state_->depth && state_->HasMemory() ? blk::Status::Ok() : blk::Status{EFAULT, blk::Op::kStrategy};
}

Napi::Function BatchWrap::Define(Napi::Env env) {
  return DefineClass(env, "NativeBatch", {Property("runSync", Edge<RunSync>), Property("run", Edge<Run>)});
}

BatchWrap::BatchWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BatchWrap>(info) {
  // `parts` is on the stack of Create(), which is still running.
  const Parts& parts = *info[0].As<Napi::External<Parts>>().Data();
  state_ = std::make_unique<BatchState>(info.Env(), parts.device, parts.depth, parts.control, parts.arena);
}

napi_value BatchWrap::Create(napi_env env, std::shared_ptr<DeviceState> device, size_t depth, napi_value control,
                             napi_value arena) {
  // Over the constructor, since only that can fill in a wrap before JavaScript sees it.
  Parts parts{std::move(device), depth, control, arena};
  return EnvState::Of(env).batch_constructor.New({Napi::External<Parts>::New(env, &parts)});
}

}  // namespace blk_addon
