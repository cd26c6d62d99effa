// SyncRequest: one who wants what was completed to be durable, from Client::StartSync() to its end: a flush of its own,
// once the writes that began before are over. Whoever makes it keeps it until `done` is called. Plain data; the
// client's meanwhile.
#ifndef RUMPBLK_CORE_NBD_SYNC_REQUEST_H_
#define RUMPBLK_CORE_NBD_SYNC_REQUEST_H_

#include <atomic>
#include <cstdint>

#include "core/base/status.h"
#include "core/nbd/wire_request.h"

namespace blk::nbd {

struct SyncRequest : WireRequest {
  // Called once, by any thread, perhaps before StartSync() has returned; *this may be gone when it returns. It does not
  // wait.
  void (*done)(SyncRequest& sync, Status status) = nullptr;
  std::atomic<uint64_t>* told = nullptr;  // the caller's: what unflushed() was when it was last told of a loss
  SyncRequest* behind = nullptr;          // the client's
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_SYNC_REQUEST_H_
