#include "addon/batch_state.h"

#include <utility>

namespace blk_addon {

blk::BatchArrays ArraysIn(uint8_t* control, size_t depth) {
  blk::BatchArrays arrays;
  // The casts are right because each column holds numbers of its own type from the start: lib fills them through typed
  // arrays over the same block, and a copy of the block is filled by memcpy.
  arrays.blkno = reinterpret_cast<double*>(control);
  uint32_t* words = reinterpret_cast<uint32_t*>(control + depth * sizeof(double));
  arrays.bcount = words;
  arrays.offset = words + depth;
  arrays.resid = words + 2 * depth;
  arrays.error = reinterpret_cast<int32_t*>(words + 3 * depth);
  arrays.op = reinterpret_cast<uint8_t*>(words + 4 * depth);
  arrays.fua = arrays.op + depth;
  return arrays;
}

BatchState::BatchState(napi_env env, std::shared_ptr<DeviceState> of, size_t entries, napi_value control,
                       napi_value arena)
    : device(std::move(of)), depth(entries), env_(env), arena_size_(BytesOf(env, arena).size) {
  napi_create_reference(env, control, 1, &control_);
  napi_create_reference(env, arena, 1, &arena_);
}

BatchState::~BatchState() {
  napi_delete_reference(env_, control_);
  napi_delete_reference(env_, arena_);
}

ViewBytes BatchState::BytesBehind(napi_ref reference) const {
  napi_value view = nullptr;
  napi_get_reference_value(env_, reference, &view);
  return BytesOf(env_, view);
}

}  // namespace blk_addon
