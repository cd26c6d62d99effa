// EnvState: what one JavaScript environment owns: its completion and the drivers made in it. Nothing is process-wide,
// so worker threads load the addon side by side. DriverState: a core driver and the calls that concern no device of it,
// shared by the objects that stand for it and for its devices in JavaScript. JavaScript thread only.
#ifndef RUMPBLK_ADDON_ENV_STATE_H_
#define RUMPBLK_ADDON_ENV_STATE_H_

#include <memory>
#include <utility>
#include <vector>

#include "addon/bell.h"
#include "addon/completion.h"
#include "addon/napi_setup.h"
#include "addon/nbd_shared.h"
#include "core/device/driver.h"

namespace blk_addon {

// Kept by the driver's JavaScript object, by its devices and by every call of either; the last of them destroys it, on
// the JavaScript thread.
class DriverState {
 public:
  DriverState(std::shared_ptr<Completion> completion, const blk::DriverOptions& options)
      : driver(options), lane_lease(driver.lanes()), intake(driver.intake()), completion_(std::move(completion)) {}
  DriverState(const DriverState&) = delete;
  DriverState& operator=(const DriverState&) = delete;

  // Order is destruction order, last first: the lease goes before the lanes, the flow before the queue that tasks of it
  // may be in.
  blk::Driver driver;
  // Of this thread, for what it does for the driver and its devices.
  const blk::LaneLease lane_lease;
  CallIntake intake;
  // Registrations and opens.
  blk::IntakeFlow flow;
  // Of those who wait for faults; null until somebody does.
  std::shared_ptr<Bell> fault_bell;

  // Ends the driver, and what was given up and still waits for its queue. Errors: those of Driver::Close().
  blk::Status Close() {
    const blk::Status status = driver.Close();
    completion_->Refill();
    return status;
  }

  // As Completion has them, for this driver.
  bool MayAnswerNow(size_t bytes) { return completion_->MayAnswerNow(bytes); }
  LentMemory& lent() { return completion_->lent(); }
  napi_value Submit(std::unique_ptr<PendingCall> call) { return Submit(flow, std::move(call)); }
  // For a device's own.
  napi_value Submit(blk::IntakeFlow& in, std::unique_ptr<PendingCall> call) {
    return completion_->Submit(intake, in, std::move(call));
  }

 private:
  const std::shared_ptr<Completion> completion_;
};

// A call that concerns no device, or the end of one, from before it is queued until it has settled: keeps the driver,
// which is not closed meanwhile.
class DriverCall {
 public:
  // Of a driver that is closed it counts as none: what is then submitted is EBADF.
  explicit DriverCall(std::shared_ptr<DriverState> driver) : driver_(std::move(driver)) {
    auto entered = driver_->driver.calls().Enter();
    if (entered.ok()) entered_ = entered.Take();
  }

  // Idempotent.
  void End() { entered_.End(); }

 private:
  std::shared_ptr<DriverState> driver_;
  blk::CallsInFlight::Call entered_;
};

// A server of the environment, which ends before it does. Not owned through this.
class EnvServer {
 public:
  virtual ~EnvServer() = default;
  // Cuts off its clients: it is to end soon.
  virtual void Cut() = 0;
  // Waits for its threads, and lets go of all that it has; it may be gone afterwards.
  virtual void End() = 0;
};

// Instance data of the addon: made when an environment loads it, destroyed by the runtime when the environment is gone.
class EnvState {
 public:
  explicit EnvState(Napi::Env env) : completion(std::make_shared<Completion>(env)) {}

  // The environment's own. REQUIRES: Init() of addon.cc has run in it, and its instance data is not gone: true of all
  // calls from JavaScript, not of finalisers.
  static EnvState& Of(napi_env env) { return *Napi::Env(env).GetInstanceData<EnvState>(); }

  // Stops every worker, then lets go of calls that will not settle any more. The environment's cleanup hook: a process
  // that exits, or a worker thread that ends, with I/O in flight comes through here. Running tasks end
  // first, which takes as long as their disks do.
  void Shutdown();
  // Lists a driver for Shutdown(), weakly: one that is collected before goes by itself.
  void Track(const std::shared_ptr<DriverState>& driver);

  // Lists a server for Shutdown(), and takes it off.
  void TrackServer(EnvServer* server) { servers_.push_back(server); }
  void UntrackServer(EnvServer* server) { std::erase(servers_, server); }

  // Shared: drivers may be finalised after this object.
  const std::shared_ptr<Completion> completion;
  // Null until the first medium of an NBD server.
  std::unique_ptr<NbdShared> nbd;
  // The classes that only native code makes objects of.
  Napi::FunctionReference device_constructor;
  Napi::FunctionReference batch_constructor;
  Napi::FunctionReference lease_constructor;

 private:
  struct Tracked {
    std::weak_ptr<DriverState> driver;
    std::shared_ptr<DriverState> held;  // by Shutdown()
  };
  // In order of their making; those that are gone are dropped by Track().
  std::vector<Tracked> drivers_;
  std::vector<EnvServer*> servers_;
};

}  // namespace blk_addon

#endif  // RUMPBLK_ADDON_ENV_STATE_H_
