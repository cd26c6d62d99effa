// BatchWrap: a batch of one device as the class NativeBatch of lib/native/binding.ts. Its entries lie in one
// ArrayBuffer, its data in an arena; both belong to JavaScript and are looked up anew at each run, since JavaScript may
// take them away. JavaScript thread only.
#ifndef RUMPBLK_ADDON_BATCH_WRAP_H_
#define RUMPBLK_ADDON_BATCH_WRAP_H_

#include <memory>

#include "addon/args.h"
#include "addon/device_state.h"
#include "addon/napi_setup.h"
#include "core/request/batch.h"

namespace blk_addon {

// The entries of a batch in one block of memory, in the order of lib/request/batch.ts: blkno, then bcount, offset,
// resid and error, then op and fua, each `depth` long. Widest first, so that each column is aligned when the block is.
// REQUIRES: `control` has ControlBytes(depth) bytes and begins at a multiple of 8.
blk::BatchArrays ArraysIn(uint8_t* control, size_t depth);
// Bytes of that block.
constexpr size_t ControlBytes(size_t depth) { return depth * (sizeof(double) + 4 * sizeof(uint32_t) + 2); }

class BatchCall;

class BatchWrap final : public Napi::ObjectWrap<BatchWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // `control` and `arena` are views. -> a NativeBatch.
  // `depth` in entries; lib has seen to it that `control` has room for them. `arena` may be empty.
  static napi_value Create(napi_env env, std::shared_ptr<DeviceState> device, size_t depth, napi_value control,
                           napi_value arena);

  // For Create(), which hands over its arguments. lib makes no batch in another way.
  explicit BatchWrap(const Napi::CallbackInfo& info);
  ~BatchWrap() override;

 private:
  friend class BatchCall;

  // (count) -> entries that succeeded, or a failure: those of Check(). The outcome of each entry is in its columns.
  static napi_value RunSync(napi_env env, napi_callback_info info);
  // (count, token) -> the same, or a promise of it when an entry would wait for a disk, as every write would.
  static napi_value Run(napi_env env, napi_callback_info info);

  // Looked up at each run: JavaScript may have transferred or detached either since the last one.
  ViewBytes Control(napi_env env) const { return BytesBehind(env, control_); }
  ViewBytes Arena(napi_env env) const { return BytesBehind(env, arena_); }
  static ViewBytes BytesBehind(napi_env env, napi_ref reference);
  // Neither was taken away. By size, since an empty arena has no address to tell by.
  bool HasMemory(napi_env env) const {
    return Control(env).size == ControlBytes(depth_) && Arena(env).size == arena_size_;
  }
  // Why a run of `count` entries cannot begin, or ok. Errors: EBADF closed · EBUSY another run is under way · EFAULT an
  // array was taken away, or has fewer entries.
  blk::Status Check(napi_env env, size_t count) const;

  std::shared_ptr<DeviceState> device_;
  size_t depth_ = 0;
  // Bytes, as the arena was when the batch was made: one of another size is another memory.
  size_t arena_size_ = 0;
  // Strong: the arrays live as long as the batch.
  napi_ref control_ = nullptr;
  napi_ref arena_ = nullptr;
  const BatchCall* running_ = nullptr;  // the call under way: another run is EBUSY meanwhile
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_BATCH_WRAP_H_
