// What errors of the wire are here, and how a request that ended is told of. No state.
#ifndef RUMPBLK_CORE_NBD_WIRE_ERROR_H_
#define RUMPBLK_CORE_NBD_WIRE_ERROR_H_

#include <cerrno>

#include "core/base/status.h"
#include "core/nbd/wire.h"
#include "core/nbd/wire_request.h"

namespace blk::nbd {

// REQUIRES: `error` is none of kWireOk.
inline Status StatusOfWire(uint32_t error, Op op) {
  switch (error) {
    // Not EROFS: an export that is read-only is refused when it is opened to write.
    case kWirePermission: return {EPERM, op};
    case kWireIo: return {EIO, op};
    case kWireNoMemory: return {ENOMEM, op};
    case kWireInvalid: return {EINVAL, op};
    case kWireNoSpace: return {ENOSPC, op};
    case kWireOverflow: return {EOVERFLOW, op};
    case kWireNotSupported: return {EOPNOTSUPP, op};
    case kWireShutdown: return {ENXIO, op, Why::kNbdShutdown};
    default: return {EIO, op, Why::kNbdError};
  }
}

// Ok of one that was answered without an error.
inline Status StatusOf(const WireRequest& request, WireEnd how, Op op) {
  switch (how) {
    case WireEnd::kAnswered: return request.error == kWireOk ? Status::Ok() : StatusOfWire(request.error, op);
    case WireEnd::kCancelled: return {ECANCELED, op};
    case WireEnd::kLost:
    case WireEnd::kChanged: break;
  }
  // Of a write that the server may have seen nobody knows what became.
  if (request.mutates() && request.sent > 0) return {ENOTCONN, op, Why::kNbdUncertain};
  return how == WireEnd::kLost ? Status{ENOTCONN, op, Why::kNbdLost} : Status{ESTALE, op, Why::kNbdChanged};
}

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_WIRE_ERROR_H_
