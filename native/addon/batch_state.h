// BatchState: what a batch's JavaScript object and its call under way share: the device, and the entries and the arena,
// which belong to JavaScript and are looked up anew at each run, since JavaScript may take them away.
// JavaScript thread only.
#ifndef RUMPBLK_ADDON_BATCH_STATE_H_
#define RUMPBLK_ADDON_BATCH_STATE_H_

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

class BatchState {
 public:
  // `depth` in entries; `control` and `arena` are views, which live as long as this.
  BatchState(napi_env env, std::shared_ptr<DeviceState> of, size_t entries, napi_value control, napi_value arena);
  ~BatchState();
  BatchState(const BatchState&) = delete;
  BatchState& operator=(const BatchState&) = delete;

  const std::shared_ptr<DeviceState> device;
  const size_t depth;
  bool running = false;  // a call is under way: another run is EBUSY meanwhile

  ViewBytes Control() const { return BytesBehind(control_); }
  ViewBytes Arena() const { return BytesBehind(arena_); }
  // Neither was taken away. By size, since an empty arena has no address to tell by.
  bool HasMemory() const { return Control().size == ControlBytes(depth) && Arena().size == arena_size_; }

 private:
  ViewBytes BytesBehind(napi_ref reference) const;

  const napi_env env_;
  // Bytes, as the arena was when the batch was made: one of another size is another memory.
  const size_t arena_size_;
  // Strong: the arrays live as long as the batch.
  napi_ref control_ = nullptr;
  napi_ref arena_ = nullptr;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_BATCH_STATE_H_
