// The addon's entry: state per environment, its cleanup hook, and the exports of lib/native/binding.ts.
#include "addon/args.h"
#include "addon/batch_wrap.h"
#include "addon/change_calls.h"
#include "addon/define.h"
#include "addon/device_wrap.h"
#include "addon/driver_wrap.h"
#include "addon/env_state.h"
#include "addon/fault_calls.h"
#include "addon/lab_held.h"
#include "addon/layout.h"
#include "addon/lease_wrap.h"
#include "addon/napi_setup.h"
#include "addon/nbd_calls.h"
#include "addon/outcome.h"
#include "addon/overlay_calls.h"
#include "addon/request_calls.h"
#include "addon/serve_calls.h"
#include "addon/source.h"
#include "addon/table_calls.h"
#include "addon/trace_calls.h"
#include "core/base/status.h"
#include "core/host/host_io.h"

namespace blk_addon {
namespace {

// By value of Op, so that lib needs no list of its own.
Napi::Array OpNames(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
  for (uint32_t i = 0; i < static_cast<uint32_t>(blk::Op::kCount); i++) {
    names.Set(i, blk::OpName(static_cast<blk::Op>(i)));
  }
  return names;
}

// What numbers of blk::Why mean, by their values.
Napi::Array Whys(Napi::Env env) {
  Napi::Array texts = Napi::Array::New(env);
  for (uint32_t i = 0; i < static_cast<uint32_t>(blk::Why::kCount); i++) {
    texts.Set(i, blk::WhyText(static_cast<blk::Why>(i)));
  }
  return texts;
}

// (buffer) -> bytes to the first page in an ArrayBuffer.
napi_value PageSkip(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  void* data = nullptr;
  size_t size = 0;
  napi_get_arraybuffer_info(env, args.at(0), &data, &size);
  const uintptr_t address = reinterpret_cast<uintptr_t>(data);
  return ToCount(env, static_cast<size_t>(blk::AlignUp(address, blk::PageSize()) - address));
}

void OnCleanup(void* state) { static_cast<EnvState*>(state)->Shutdown(); }

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  // Once per environment: the main thread and each worker thread load the addon for themselves.
  EnvState* state = new EnvState(env);  // owned by the environment
  env.SetInstanceData(state);
  // After the thread-safe function was made, whose own hook then runs later: workers are joined while it still exists.
  napi_add_env_cleanup_hook(env, OnCleanup, state);
  state->device_constructor = Napi::Persistent(DeviceWrap::Define(env));
  state->batch_constructor = Napi::Persistent(BatchWrap::Define(env));
  state->lease_constructor = Napi::Persistent(LeaseWrap::Define(env));
  exports.Set("ops", OpNames(env));
  exports.Set("whys", Whys(env));
  exports.Set("layout", MakeLayout(env));
  DefineFunction(env, exports, "pageSkip", PageSkip);
  exports.Set("pageSize", static_cast<double>(blk::PageSize()));
  DefineRequestCalls(env, exports);
  DefineLabelFunctions(env, exports);
  DefineMediumFunctions(env, exports);
  DefineNbdFunctions(env, exports);
  DefineOverlayFunctions(env, exports);
  DefineChangeFunctions(env, exports);
  DefineTraceFunctions(env, exports);
  DefineServeCalls(env, exports);
  DefineFaultFunctions(env, exports);
  DefineLabCalls(env, exports);
  // The only class with a constructor in lib's hands: the others come from its methods.
  exports.Set("Driver", DriverWrap::Define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)

}  // namespace blk_addon
