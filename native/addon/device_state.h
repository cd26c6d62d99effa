// DeviceState: what a device's JavaScript object and its pending calls share: the core device, which calls can be
// cancelled, and the close that waits for those under way. DeviceCall: one of these calls. JavaScript thread only.
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

// The device as an export of a server. Takes itself off DeviceState::served.
class Served {
 public:
  virtual ~Served() = default;
  // Ends the export: it has a call of the device under way until its clients' requests are done. Idempotent.
  virtual void EndExport() = 0;
};

// Plain data with its rules. Owned by shared_ptr.
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
  // Calls that can be cancelled, by the token that lib gave them; each is alive for as long as it is listed.
  std::unordered_map<uint64_t, Cancellable*> by_token;
  // Alive for as long as they are listed; the newest last. A list, whose places stay: each lease knows its own, so that
  // to take off one of tens of thousands is no search.
  std::list<Detachable*> leases;
  // Exports of it that have not ended.
  std::list<Served*> served;
  // The close that came while calls were in flight, not queued yet. It must not keep this object, which would then
  // outlive an environment that ends before the calls have.
  std::unique_ptr<PendingCall> waiting_close;

  // Whether calls may begin: not behind a close(), which may not have run yet.
  bool open() const { return !device->calls().closed(); }

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

  // Lets no call begin any more, and queues the close behind the last one under way. -> its promise.   REQUIRES:
  // open().
  napi_value Close(std::unique_ptr<PendingCall> call) {
    napi_value promise = call->promise();
    waiting_close = std::move(call);
    for (Served* one : served) one->EndExport();
    // Inside this function, or when a DeviceCall ends, which keeps this object.
    device->calls().Close([this] {
      waiting_close->Keep(shared_from_this());
      Submit(std::move(waiting_close));
    });
    return promise;
  }
  // Queues a call behind the device's others. -> its promise.
  // REQUIRES: it keeps this object.
  napi_value Submit(std::unique_ptr<PendingCall> call) { return driver->Submit(flow, std::move(call)); }
};

// A call on a device from before it is queued until it has settled: keeps the device, bars its close, and is found by
// its token. Neither copied nor moved.
class DeviceCall {
 public:
  // `token` 0: it cannot be cancelled.   REQUIRES: device->open(), and a token that is not in use.
  DeviceCall(std::shared_ptr<DeviceState> device, uint64_t token, Cancellable* call)
      : device_(std::move(device)), token_(token), entered_(device_->device->calls().Enter().Take()) {
    if (token != 0) device_->by_token.emplace(token, call);
  }
  explicit DeviceCall(std::shared_ptr<DeviceState> device) : DeviceCall(std::move(device), 0, nullptr) {}
  ~DeviceCall() { End(); }
  DeviceCall(const DeviceCall&) = delete;
  DeviceCall& operator=(const DeviceCall&) = delete;

  // When it has settled or was refused, before the promise resolves: who closes then finds it gone. The last one lets a
  // close begin that waits. Idempotent.
  void End() {
    if (!entered_.under_way()) return;
    if (token_ != 0) device_->by_token.erase(token_);
    entered_.End();
  }

  DeviceState* operator->() const { return device_.get(); }
  // Whether it can be cancelled.
  bool has_token() const { return token_ != 0; }

 private:
  const std::shared_ptr<DeviceState> device_;
  const uint64_t token_;
  blk::CallsInFlight::Call entered_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_DEVICE_STATE_H_
