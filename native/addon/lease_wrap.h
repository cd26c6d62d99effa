// LeaseWrap: a lease of a device's bytes as the class NativeLease of lib/binding.ts: an ArrayBuffer over memory that is
// not JavaScript's, and its release. The lease is shared with the buffer's finalizer, which the runtime calls when
// nothing can reach the memory any more: so it stays mapped for as long as any buffer has it, even one that the bytes
// were transferred to behind our back. JavaScript thread only.
#ifndef RUMPBLK_ADDON_LEASE_WRAP_H_
#define RUMPBLK_ADDON_LEASE_WRAP_H_

#include <memory>

#include "addon/device_state.h"
#include "addon/napi_setup.h"
#include "core/device/lease.h"

namespace blk_addon {

class LeaseWrap final : public Napi::ObjectWrap<LeaseWrap>, public Detachable {
 public:
  static Napi::Function Define(Napi::Env env);
  // -> a NativeLease, or a failure: ENOTSUP where the runtime refuses memory that is not its own.
  static napi_value Create(napi_env env, std::shared_ptr<DeviceState> device, std::unique_ptr<blk::Lease> lease);

  explicit LeaseWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LeaseWrap>(info) {}
  ~LeaseWrap() override { Forget(); }

  // Detaches the buffer and ends the lease. Idempotent. Errors: those of Lease::Release().
  blk::Status Detach(napi_env env) override {
    blk::ByteSpan lost;
    return Detach(env, &lost);
  }

 private:
  blk::Status Detach(napi_env env, blk::ByteSpan* lost);

  // What the wrap and the finalizer share. The device outlives the lease.
  struct Lent {
    std::shared_ptr<DeviceState> device;
    std::unique_ptr<blk::Lease> lease;
  };

  static void OnBufferGone(napi_env env, void* data, void* hint);
  static napi_value Buffer(napi_env env, napi_callback_info info);
  static napi_value Release(napi_env env, napi_callback_info info);
  void Forget();

  std::shared_ptr<Lent> lent_;
  Napi::Reference<Napi::Value> buffer_;  // weak: lib lets the buffer keep this object alive, so that close finds it
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_LEASE_WRAP_H_
