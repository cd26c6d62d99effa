// BatchWrap: a batch of one device as the class NativeBatch of lib/native/binding.ts. Its entries lie in one
// ArrayBuffer, its data in an arena. JavaScript thread only.
#ifndef RUMPBLK_ADDON_BATCH_WRAP_H_
#define RUMPBLK_ADDON_BATCH_WRAP_H_

#include <memory>

#include "addon/batch_state.h"
#include "addon/napi_setup.h"

namespace blk_addon {

class BatchWrap final : public Napi::ObjectWrap<BatchWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // `control` and `arena` are views. -> a NativeBatch.
  // `depth` in entries; lib has seen to it that `control` has room for them. `arena` may be empty.
  static napi_value Create(napi_env env, std::shared_ptr<DeviceState> device, size_t depth, napi_value control,
                           napi_value arena);

  // For Create(), which hands over its arguments. lib makes no batch in another way.
  explicit BatchWrap(const Napi::CallbackInfo& info);

 private:
  // (count) -> entries that succeeded, or a failure: those of Check(). The outcome of each entry is in its columns.
  static napi_value RunSync(napi_env env, napi_callback_info info);
  // (count, token) -> the same, or a promise of it when an entry would wait for a disk, as every write would.
  static napi_value Run(napi_env env, napi_callback_info info);

  // Why a run of `count` entries cannot begin, or ok. Errors: EBADF closed · EBUSY another run is under way · EFAULT an
  // array was taken away, or has fewer entries.
  blk::Status Check(size_t count) const;

  // Made in the constructor's body, from what only that has.
  std::unique_ptr<BatchState> state_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_BATCH_WRAP_H_
