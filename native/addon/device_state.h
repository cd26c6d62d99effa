// DeviceState: what a device's JavaScript object and its pending calls share: the core device, how many calls are in
// flight, which of them can be cancelled, and the close that waits for them. JavaScript thread only.
#ifndef RUMPBLK_ADDON_DEVICE_STATE_H_
#define RUMPBLK_ADDON_DEVICE_STATE_H_

#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "addon/env_state.h"
#include "addon/pending_call.h"
#include "core/device/device.h"

namespace blk_addon {

// A call that JavaScript can end early.
class Cancellable {
 public:
  virtual void Cancel(napi_env env) = 0;

 protected:
  ~Cancellable() = default;
};

// Memory of the device in JavaScript's hands.
class Detachable {
 public:
  // Takes it away. Idempotent.
  virtual blk::Status Detach(napi_env env) = 0;

 protected:
  ~Detachable() = default;
};

struct DeviceState {
  DeviceState(std::shared_ptr<DriverState> driver, std::shared_ptr<blk::Device> device)
      : driver(std::move(driver)), device(std::move(device)) {}

  // The driver outlives its devices.
  const std::shared_ptr<DriverState> driver;
  const std::shared_ptr<blk::Device> device;
  bool closing = false;
  size_t in_flight = 0;
  std::unordered_map<uint64_t, Cancellable*> by_token;
  std::vector<Detachable*> leases;
  std::unique_ptr<PendingCall> waiting_close;

  bool open() const { return !closing; }

  // Takes back every lease. Errors: the first one's.
  blk::Status DetachLeases(napi_env env) {
    blk::Status first = blk::Status::Ok();
    while (!leases.empty()) {
      const blk::Status status = leases.back()->Detach(env);
      if (first.ok()) first = status;
    }
    return first;
  }

  // Counts a call in, and out again when it has settled or was refused; the last one out lets a waiting close begin.
  void Begin(uint64_t token, Cancellable* call) {
    in_flight++;
    driver->pending++;
    if (token != 0) by_token.emplace(token, call);
  }
  void End(uint64_t token) {
    in_flight--;
    driver->pending--;
    if (token != 0) by_token.erase(token);
    if (in_flight == 0 && waiting_close) driver->Submit(std::move(waiting_close));
  }
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_DEVICE_STATE_H_
