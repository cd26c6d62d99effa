#include "addon/outcome.h"

#include <initializer_list>

namespace blk_addon {

napi_value ToFailure(napi_env env, blk::Status status, size_t moved, bool injected, int64_t blkno) {
  napi_value failure = nullptr;
  napi_create_array_with_length(env, 5, &failure);
  uint32_t i = 0;
  for (const double field : {static_cast<double>(status.err), static_cast<double>(status.op),
                             static_cast<double>(moved), injected ? 1.0 : 0.0, static_cast<double>(blkno)}) {
    napi_set_element(env, failure, i++, ToNumber(env, field));
  }
  return failure;
}

}  // namespace blk_addon
