#include "addon/lease_wrap.h"

#include <utility>

#include "addon/args.h"
#include "addon/define.h"
#include "addon/edge.h"
#include "addon/outcome.h"

namespace blk_addon {

void LeaseWrap::OnBufferGone(napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Lent>*>(hint); }

napi_value LeaseWrap::Create(napi_env env, std::shared_ptr<DeviceState> device, std::unique_ptr<blk::Lease> lease) {
  auto lent = std::make_shared<Lent>(std::move(device), std::move(lease));
  // The finalizer's own share, on the heap, as Node-API hands it a plain pointer.
  auto held = std::make_unique<std::shared_ptr<Lent>>(lent);
  napi_value buffer = nullptr;
  const napi_status made = napi_create_external_arraybuffer(env, lent->lease->data(), lent->lease->size(), OnBufferGone,
                                                            held.get(), &buffer);
  if (made != napi_ok) return ToFailure(env, {ENOTSUP, blk::Op::kMap});
  held.release();  // the finalizer's from here on
  const Napi::Object object = EnvState::Of(env).lease_constructor.New({});
  LeaseWrap* wrap = object.IsEmpty() ? nullptr : Unwrap(object);
  if (wrap == nullptr) return nullptr;  // the thread is being terminated; the finalizer ends the lease
  // Strong: until lib has asked for it, the buffer is garbage to the collector.
  wrap->buffer_ = Napi::Reference<Napi::Value>::New(Napi::Value(env, buffer), 1);
  std::list<Detachable*>& leases = lent->device->leases;
  wrap->listed_ = leases.insert(leases.end(), wrap);
  wrap->lent_ = std::move(lent);
  return object;
}

blk::Status LeaseWrap::Detach(napi_env env, blk::ByteSpan* lost) {
  if (!lent_) return blk::Status::Ok();
  const napi_value buffer = buffer_.Value();
  // Both before anything else: whatever comes of it, a second Detach() finds nothing to do.
  buffer_.Reset();
  const std::shared_ptr<Lent> lent = lent_;
  Forget();
  bool gone = true;
  napi_is_detached_arraybuffer(env, buffer, &gone);
  // Gone: the caller has transferred the bytes to another buffer, from which nobody can take them away. The finalizer
  // ends the lease when that one goes.
  if (gone || napi_detach_arraybuffer(env, buffer) != napi_ok) return blk::Status::Ok();
  // Only now that JavaScript cannot reach the memory. Its finalizer has run or will: it finds a lease that has ended.
  lent->range.reset();
  const blk::Status status = lent->lease->Release();
  *lost = lent->device->device->ToDevice(lent->lease->Lost());
  return status;
}

void LeaseWrap::Forget() {
  if (!lent_) return;
  lent_->device->leases.erase(listed_);
  lent_.reset();
}

napi_value LeaseWrap::Buffer(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  LeaseWrap* wrap = args.Self<LeaseWrap>();
  if (wrap == nullptr || !wrap->lent_) return nullptr;
  const napi_value buffer = wrap->buffer_.Value();
  // From here on lib's view holds the buffer, and the buffer this object: a strong reference would keep both for ever.
  if (!std::exchange(wrap->taken_, true)) wrap->buffer_.Unref();
  return buffer;
}

napi_value LeaseWrap::Release(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  LeaseWrap* wrap = args.Self<LeaseWrap>();
  if (wrap == nullptr) return nullptr;
  blk::ByteSpan lost;
  const blk::Status status = wrap->Detach(env, &lost);
  return ToOutcome(env, status, lost);
}

Napi::Function LeaseWrap::Define(Napi::Env env) {
  return DefineClass(env, "NativeLease", {Property("buffer", Edge<Buffer>), Property("release", Edge<Release>)});
}

}  // namespace blk_addon
