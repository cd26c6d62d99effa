#include "addon/outcome.h"

#include <array>

namespace blk_addon {

napi_value ToFailure(napi_env env, blk::Status status, const FailureDetail& detail) {
  // Doubles hold all of them exactly: positions are below 2^53.
  const std::array<double, 9> fields = {
      static_cast<double>(status.err),        static_cast<double>(status.op),
      static_cast<double>(detail.moved),      detail.injected || status.why == blk::Why::kInjected ? 1.0 : 0.0,
      static_cast<double>(detail.blkno),      static_cast<double>(detail.holder),
      static_cast<double>(detail.lost.begin), static_cast<double>(detail.lost.end),
      static_cast<double>(status.why)};
  napi_value failure = nullptr;
  napi_create_array_with_length(env, fields.size(), &failure);
  for (uint32_t i = 0; i < fields.size(); i++) napi_set_element(env, failure, i, ToNumber(env, fields[i]));
  return failure;
}

}  // namespace blk_addon
