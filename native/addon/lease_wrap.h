// LeaseWrap: a lease of a device's bytes as the class NativeLease of lib/native/binding.ts: an ArrayBuffer over memory
// that is not JavaScript's, and its release. The lease is shared with the buffer's finalizer, which the runtime calls
// when nothing can reach the memory any more: so it stays mapped for as long as any buffer has it, even one that the
// bytes were transferred to behind our back. JavaScript thread only.
#ifndef RUMPBLK_ADDON_LEASE_WRAP_H_
#define RUMPBLK_ADDON_LEASE_WRAP_H_

#include <list>
#include <memory>
#include <optional>
#include <utility>

#include "addon/device_state.h"
#include "addon/napi_setup.h"
#include "core/device/lease.h"

namespace blk_addon {

class LeaseWrap final : public Napi::ObjectWrap<LeaseWrap>, public Detachable {
 public:
  static Napi::Function Define(Napi::Env env);
  // -> a NativeLease, or a failure: ENOTSUP where the runtime refuses memory that is not its own.
  static napi_value Create(napi_env env, std::shared_ptr<DeviceState> device, std::unique_ptr<blk::Lease> lease);

  // Of no lease yet: Create() gives it one.
  explicit LeaseWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LeaseWrap>(info) {}
  // Takes itself off the device's list. The memory stays mapped for as long as the buffer does.
  ~LeaseWrap() override { Forget(); }

  // Detaches the buffer and ends the lease. Idempotent. Errors: those of Lease::Release().
  blk::Status Detach(napi_env env) override {
    blk::ByteSpan lost;
    return Detach(env, &lost);
  }

 private:
  // The same, and which bytes of the device are lost; `*lost` stays as it is when nothing had to be done.
  blk::Status Detach(napi_env env, blk::ByteSpan* lost);

  // What the wrap and the finalizer share. The device outlives the lease: members go last first.
  struct Lent {
    Lent(std::shared_ptr<DeviceState> of, std::unique_ptr<blk::Lease> made)
        : device(std::move(of)),
          lease(std::move(made)),
          range(std::in_place, device->lent, lease->data(), lease->size()) {}

    std::shared_ptr<DeviceState> device;
    std::unique_ptr<blk::Lease> lease;
    std::optional<LentRange> range;  // until the memory is taken away
  };

  // The finalizer of the buffer's memory: drops its share of Lent. On the JavaScript thread.
  static void OnBufferGone(napi_env env, void* data, void* hint);
  // () -> the ArrayBuffer, undefined after the release.
  static napi_value Buffer(napi_env env, napi_callback_info info);
  // () -> 0, or the failure with what is lost.
  static napi_value Release(napi_env env, napi_callback_info info);
  // Ends what the wrap has to do with the lease and the device. Idempotent.
  void Forget();

  // Null before Create() is done, and after the release.
  std::shared_ptr<Lent> lent_;
  // This object's place on DeviceState::leases; valid as long as there is a lent_.
  std::list<Detachable*>::iterator listed_;
  // Weak once lib has taken it: lib lets the buffer keep this object alive, so that close finds it.
  Napi::Reference<Napi::Value> buffer_;
  bool taken_ = false;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_LEASE_WRAP_H_
