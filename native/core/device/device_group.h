// DeviceGroup: the devices of one driver that are alive, and what they share: counters, lanes and the fault injector.
// Kept by the driver and by each of the devices, so that neither has to outlive the other.
// Thread-safe. Lock order: mu_ before the fault injector's and those of trace filters.
#ifndef RUMPBLK_CORE_DEVICE_DEVICE_GROUP_H_
#define RUMPBLK_CORE_DEVICE_DEVICE_GROUP_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/counters.h"
#include "core/base/lane_lease.h"
#include "core/base/sync.h"
#include "core/device/device.h"
#include "core/device/tracked_changes.h"
#include "core/filter/fault_injector.h"
#include "core/filter/fault_plans.h"

namespace blk {

// Owned by shared_ptr.
class DeviceGroup : public std::enable_shared_from_this<DeviceGroup> {
 public:
  DeviceGroup() = default;
  DeviceGroup(const DeviceGroup&) = delete;
  DeviceGroup& operator=(const DeviceGroup&) = delete;

  // Takes in a device that was opened with counters() and faults(), with the faults of now. -> the same; it keeps this
  // object, and leaves it when it goes. Null without memory, and the device is closed.
  std::shared_ptr<Device> Add(std::unique_ptr<Device> device) EXCLUDES(mu_);
  // Whether a device is not closed, or its close is not over.
  bool AnyOpen() const EXCLUDES(mu_);
  // Sets the injector, which starts its stream afresh, and puts it into the stacks of all devices, or takes it out.
  // Errors: ENOMEM, and nothing has changed.
  Status SetFaults(FaultInjector::Settings settings) EXCLUDES(mu_);
  // The same of a fault plan, null for none; requests admitted before go on with what was decided of them.
  Status SetPlan(std::shared_ptr<FaultRun> run) EXCLUDES(mu_);

  // Tells `log` of what is done from here on to the disk of `device`, by whichever open of it in this group, until
  // EndLog(). Errors: EACCES an 'r' device · EBUSY the disk has one · ENOTSUP a lease is held.
  Status Log(Device& device, const std::shared_ptr<RequestLog>& log) EXCLUDES(mu_);
  void EndLog(Disk& disk, const RequestLog& log) EXCLUDES(mu_);
  // What is changed on a device from here on, by whichever open of its disk in this group, and by leases that there
  // are. What is under way on an open when it begins counts as a change of all that the open has.   Throws
  // std::bad_alloc. REQUIRES: granularity is a power of two from ChangeMap::kLeastBlock to kMostBlock.
  std::unique_ptr<TrackedChanges> Track(Device& device, uint64_t granularity) EXCLUDES(mu_);
  // Keeps the requests of `device` in `trace` from here on, as those of its device of that index, until EndTrace().
  // Errors: EBUSY it is traced already.   Throws std::bad_alloc.
  Status Trace(Device& device, std::shared_ptr<RequestTrace> trace, uint16_t index) EXCLUDES(mu_);
  void EndTrace(Device& device, const RequestTrace& trace) EXCLUDES(mu_);
  // Measures the requests of `device` from here on. Errors: ENOMEM.   Throws std::bad_alloc.
  Status Measure(Device& device) EXCLUDES(mu_);

  // The same in the bitmap of that name that the medium keeps. Errors: those of Medium::KeepChanges() · ENOTSUP the
  // device is a part of its medium, with a Why.   Thread: any; it waits for the medium.
  static Result<std::unique_ptr<TrackedChanges>> Keep(Device& device, const std::string& name,
                                                      std::optional<uint64_t> granularity);
  // What the medium keeps; of a part of it too. Errors: those of Medium::ListKept().
  static Result<std::vector<KeptBitmap>> ListKept(const Device& device);
  // Removes the one of that name, whatever it is. -> false: there is none. Errors: as of Keep().
  static Result<bool> RemoveKept(Device& device, const std::string& name);

  Counters& counters() { return counters_; }
  FaultInjector& faults() { return faults_; }
  const FaultInjector& faults() const { return faults_; }
  FaultPlans& plans() { return plans_; }
  // -> its lanes; they may outlive it.
  const std::shared_ptr<Lanes>& lanes() const { return lanes_; }

 private:
  void Forget(Device* device) EXCLUDES(mu_);
  // Whether bitmaps may be kept through the device. Errors: EACCES · ENOTSUP, with a Why.
  static Status MayKeep(const Device& device);
  // Has `set` put a filter of every device in force or out. Errors: as SetFaults().
  Status SwitchAll(Status (Device::*set)(bool), bool was_on, bool on) REQUIRES(mu_);
  void EndTracking(Disk& disk, const ChangeMap& map) EXCLUDES(mu_);
  void EndLogLocked(Disk& disk, const RequestLog& log) REQUIRES(mu_);

  Counters counters_;
  FaultInjector faults_;
  FaultPlans plans_;
  const std::shared_ptr<Lanes> lanes_ = std::make_shared<Lanes>();
  mutable Mutex mu_;
  std::vector<Device*> devices_ GUARDED_BY(mu_);  // every Device that is alive
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_DEVICE_GROUP_H_
