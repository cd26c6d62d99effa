// WaitedRequest: a request that its thread waits for. Used by that thread, and by the client.
#ifndef RUMPBLK_CORE_NBD_WAITED_REQUEST_H_
#define RUMPBLK_CORE_NBD_WAITED_REQUEST_H_

#include "core/base/sync.h"
#include "core/nbd/wire_error.h"
#include "core/nbd/wire_request.h"

namespace blk::nbd {

class WaitedRequest : public WireRequest {
 public:
  WaitedRequest() {
    finish = [](WireRequest& request, WireEnd end) {
      auto& waited = static_cast<WaitedRequest&>(request);
      MutexLock lock(waited.mu_);
      waited.how_ = end;
      waited.here_ = true;
      // Under the lock: the request is gone as soon as who waits has seen it.
      waited.came_.NotifyAll();
    };
  }

  // Waits for its end, behind Client::Submit().   Errors: the server's · ENOTCONN, ESTALE.   Thread: any but the
  // client's.
  Status Wait(Op op) EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (!here_) came_.Wait(mu_);
    return StatusOf(*this, how_, op);
  }

 private:
  Mutex mu_;
  CondVar came_;
  bool here_ GUARDED_BY(mu_) = false;
  WireEnd how_ GUARDED_BY(mu_) = WireEnd::kLost;
};

}  // namespace blk::nbd

#endif  // RUMPBLK_CORE_NBD_WAITED_REQUEST_H_
