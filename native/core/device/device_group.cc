#include "core/device/device_group.h"

#include <algorithm>
#include <utility>

namespace blk {

std::shared_ptr<Device> DeviceGroup::Add(std::unique_ptr<Device> device) {
  // Off the list before it goes, so that SetFaults() never meets one that is half destroyed.
  std::shared_ptr<Device> added(device.release(), [group = shared_from_this()](Device* dying) {
    group->Forget(dying);
    delete dying;
  });
  MutexLock lock(mu_);
  devices_.push_back(added.get());
  // Listed and set under one lock: a SetFaults() at the same time is either seen here or sees the device.
  added->SetFaulty(faults_.settings().rate != 0);
  return added;
}

void DeviceGroup::Forget(Device* device) {
  MutexLock lock(mu_);
  devices_.erase(std::remove(devices_.begin(), devices_.end(), device), devices_.end());
}

bool DeviceGroup::AnyOpen() const {
  MutexLock lock(mu_);
  return std::any_of(devices_.begin(), devices_.end(), [](const Device* device) { return !device->closed(); });
}

void DeviceGroup::SetFaults(FaultInjector::Settings settings) {
  MutexLock lock(mu_);
  faults_.Set(settings);
  for (Device* device : devices_) device->SetFaulty(settings.rate != 0);
}

}  // namespace blk
