// DeviceState: what a device's JavaScript object and its pending calls share: the core device, how many calls are in
// flight, which of them can be cancelled, and the close that waits for them. JavaScript thread only.
#ifndef RUMPBLK_ADDON_DEVICE_STATE_H_
#define RUMPBLK_ADDON_DEVICE_STATE_H_

#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

#include "addon/env_state.h"
#include "addon/pending_call.h"
#include "core/device/device.h"

namespace blk_addon {

// A call that JavaScript can end early. Not owned through this.
class Cancellable {
 public:
  // Ends the call as soon as that can be; its promise settles all the same. A second time does nothing.
  virtual void Cancel(napi_env env) = 0;

 protected:
  ~Cancellable() = default;
};

// Memory of the device in JavaScript's hands: a lease. Takes itself off DeviceState::leases.
class Detachable {
 public:
  // Takes it away. Idempotent. Errors: what the release has to say of stores that are lost.
  virtual blk::Status Detach(napi_env env) = 0;

 protected:
  ~Detachable() = default;
};

// Plain data with its rules: whoever queues a call begins it here, and ends it when it has settled. Owned by
// shared_ptr.
struct DeviceState : std::enable_shared_from_this<DeviceState> {
  DeviceState(std::shared_ptr<DriverState> driver, std::shared_ptr<blk::Device> device)
      : driver(std::move(driver)),
        device(std::move(device)),
        lane(this->driver->lane_lease.lane()),
        lent(this->driver->lent()) {}

  // The driver outlives its devices.
  const std::shared_ptr<DriverState> driver;
  const std::shared_ptr<blk::Device> device;
  // The JavaScript thread's, by the driver's lease.
  const blk::Lane lane;
  // The environment's, which the driver keeps.
  LentMemory& lent;
  // Its calls, which take turns with those of other devices.
  blk::IntakeFlow flow;
  // From the first close() on, before it runs: no call begins any more. Never false again.
  bool closing = false;
  // Calls begun and not ended. A device is not closed, nor its memory unmapped, before this is 0 (B16).
  size_t in_flight = 0;
  // Calls that can be cancelled, by the token that lib gave them; each is alive for as long as it is listed.
  std::unordered_map<uint64_t, Cancellable*> by_token;
  // Alive for as long as they are listed; the newest last. A list, whose places stay: each lease knows its own, so that
  // to take off one of tens of thousands is no search.
  std::list<Detachable*> leases;
  // The close that came while calls were in flight, not queued yet. It must not keep this object, which would then
  // outlive an environment that ends before the calls have.
  std::unique_ptr<PendingCall> waiting_close;

  // Whether calls may begin.
  bool open() const { return !closing; }

  // Takes back every lease, newest first; each takes itself off the list. Errors: the first one's; all are taken back
  // in any case.
  blk::Status DetachLeases(napi_env env) {
    blk::Status first = blk::Status::Ok();
    while (!leases.empty()) {
      const blk::Status status = leases.back()->Detach(env);
      if (first.ok()) first = status;
    }
    return first;
  }

  // Counts a call in. `token` 0: it cannot be cancelled.   REQUIRES: open(), and a token that is not in use.
  void Begin(uint64_t token, Cancellable* call) {
    if (token != 0) by_token.emplace(token, call);  // first: it may find no memory
    in_flight++;
    driver->pending++;
  }
  // Counts a call out, when it has settled or was refused; the last one out lets a waiting close begin. Before the
  // promise resolves, so that who closes then finds it gone.
  void End(uint64_t token) {
    in_flight--;
    driver->pending--;
    if (token != 0) by_token.erase(token);
    if (in_flight == 0 && waiting_close) SubmitClose(std::move(waiting_close));
  }
  // Queues the close, which keeps this object from here on. -> its promise.
  napi_value SubmitClose(std::unique_ptr<PendingCall> call) {
    call->Keep(shared_from_this());
    return Submit(std::move(call));
  }
  // Queues a call behind the device's others. -> its promise.
  // REQUIRES: it keeps this object.
  napi_value Submit(std::unique_ptr<PendingCall> call) { return driver->Submit(flow, std::move(call)); }
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_DEVICE_STATE_H_
