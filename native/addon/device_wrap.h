// DeviceWrap: a core Device as the class NativeDevice of lib/native/binding.ts. Marshals arguments and outcomes and
// nothing else. JavaScript thread only.
#ifndef RUMPBLK_ADDON_DEVICE_WRAP_H_
#define RUMPBLK_ADDON_DEVICE_WRAP_H_

#include <memory>

#include "addon/device_state.h"
#include "addon/napi_setup.h"

namespace blk_addon {

class DeviceWrap final : public Napi::ObjectWrap<DeviceWrap> {
 public:
  // The class. lib gets no constructor of it: Create() alone makes devices.
  static Napi::Function Define(Napi::Env env);
  // -> a NativeDevice.
  static napi_value Create(napi_env env, std::shared_ptr<DeviceState> state);

  // `info` holds one external, a std::shared_ptr<DeviceState> to take over.
  explicit DeviceWrap(const Napi::CallbackInfo& info);

  // Null for an object that was made by hand, out of the constructor of another.
  const std::shared_ptr<DeviceState>& state() const { return state_; }

 private:
  std::shared_ptr<DeviceState> state_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_DEVICE_WRAP_H_
