// The addon's entry: state per environment, its cleanup hook, and the exports of lib/binding.ts.
#include "addon/device_wrap.h"
#include "addon/driver_wrap.h"
#include "addon/env_state.h"
#include "addon/napi_setup.h"
#include "core/base/status.h"
#include "core/host/host_io.h"

namespace blk_addon {
namespace {

Napi::Array OpNames(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
  for (uint32_t i = 0; i < static_cast<uint32_t>(blk::Op::kCount); i++) {
    names.Set(i, blk::OpName(static_cast<blk::Op>(i)));
  }
  return names;
}

void OnCleanup(void* state) { static_cast<EnvState*>(state)->Shutdown(); }

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  EnvState* state = new EnvState(env);  // owned by the environment
  env.SetInstanceData(state);
  // After the thread-safe function was made, whose own hook then runs later: workers are joined while it still exists.
  napi_add_env_cleanup_hook(env, OnCleanup, state);
  state->device_constructor = Napi::Persistent(DeviceWrap::Define(env));
  exports.Set("ops", OpNames(env));
  exports.Set("pageSize", static_cast<double>(blk::PageSize()));
  exports.Set("Driver", DriverWrap::Define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)

}  // namespace blk_addon
