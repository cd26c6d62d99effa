// Outcome: how results cross. Success is a number; a failure is the array of numbers that lib/native/binding.ts calls
// Failure. No Error is made here. JavaScript thread only.
#ifndef RUMPBLK_ADDON_OUTCOME_H_
#define RUMPBLK_ADDON_OUTCOME_H_

#include <cstdint>

#include "addon/napi_setup.h"
#include "core/base/status.h"
#include "core/base/units.h"
#include "core/request/physio.h"

namespace blk_addon {

// A call of Node-API that fails here fails because the thread is being terminated: the value is null then, and nobody
// looks.
inline napi_value ToNumber(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

// Of a count of bytes, which is small almost always, and then cheaper to make.
inline napi_value ToCount(napi_env env, size_t count) {
  if (count > INT32_MAX) return ToNumber(env, static_cast<double>(count));
  napi_value result = nullptr;
  napi_create_int32(env, static_cast<int32_t>(count), &result);
  return result;
}

// What is known of a failure beside its status; the defaults stand for nothing.
struct FailureDetail {
  size_t moved = 0;
  bool injected = false;
  int64_t blkno = -1;
  int holder = 0;           // process
  blk::ByteSpan lost = {};  // of the device
};

// The array that lib/errors.ts makes an Error of, in the order of Failure in lib/native/binding.ts: errno, positive;
// op; moved; injected; blkno; holder; first and last byte lost; why.   REQUIRES: status is a failure.
napi_value ToFailure(napi_env env, blk::Status status, const FailureDetail& detail = {});

// 0, or the failure.
inline napi_value ToOutcome(napi_env env, blk::Status status, blk::ByteSpan lost = {}) {
  return status.ok() ? ToNumber(env, 0) : ToFailure(env, status, {.lost = lost});
}

// Bytes moved, or the failure.
inline napi_value ToOutcome(napi_env env, const blk::Request& request) {
  if (request.status.ok()) return ToCount(env, request.moved);
  return ToFailure(env, request.status,
                   {.moved = request.moved, .injected = request.injected, .blkno = request.failed_blkno});
}

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_OUTCOME_H_
