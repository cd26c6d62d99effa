#include "core/device/device_group.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <new>
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
  Status status = added->SetFaulty(faults_.settings().rate != 0);
  if (status.ok()) status = added->SetPlanned(plans_.current() != nullptr);
  if (status.ok()) status = added->SetTracked(added->minor().disk().tracks().any());
  if (status.ok()) status = added->SetLogged(added->minor().disk().log().on());
  if (status.ok()) return added;
  lock.Unlock();
  added.reset();
  return nullptr;
}

void DeviceGroup::Forget(Device* device) {
  MutexLock lock(mu_);
  devices_.erase(std::remove(devices_.begin(), devices_.end(), device), devices_.end());
}

bool DeviceGroup::AnyOpen() const {
  MutexLock lock(mu_);
  return std::any_of(devices_.begin(), devices_.end(), [](const Device* device) { return !device->closed(); });
}

Status DeviceGroup::SwitchAll(Status (Device::*set)(bool), bool was_on, bool on) {
  for (Device* device : devices_) {
    const Status status = (device->*set)(on);
    if (status.ok()) continue;
    // Out again where it was: that needs no memory, and those that were on keep it.
    for (Device* undone : devices_) {
      if (!was_on) static_cast<void>((undone->*set)(false));
      if (undone == device) break;
    }
    return status;
  }
  return Status::Ok();
}

// The filters first: they do nothing while there is nothing set.
Status DeviceGroup::SetFaults(FaultInjector::Settings settings) {
  MutexLock lock(mu_);
  const bool on = settings.rate != 0;
  const Status status = SwitchAll(&Device::SetFaulty, faults_.settings().rate != 0, on);
  if (status.ok()) faults_.Set(settings);
  return status;
}

Status DeviceGroup::SetPlan(std::shared_ptr<FaultRun> run) {
  MutexLock lock(mu_);
  const bool on = run != nullptr;
  const Status status = SwitchAll(&Device::SetPlanned, plans_.current() != nullptr, on);
  if (!status.ok()) return status;
  const std::shared_ptr<FaultRun> before = plans_.Set(std::move(run));
  lock.Unlock();
  if (before) before->End();
  return status;
}

Status DeviceGroup::Log(Device& device, const std::shared_ptr<RequestLog>& log) {
  if (device.mode() != OpenMode::kReadWrite) return {EACCES, Op::kTrack};
  Disk& disk = device.minor().disk();
  MutexLock lock(mu_);
  const Status set = disk.log().Add(log);
  if (!set.ok()) return set;
  // Behind Add(): a lease is seen here, or is refused.
  if (disk.tracks().AnyStores()) {
    EndLogLocked(disk, *log);
    return {ENOTSUP, Op::kMap};
  }
  for (Device* each : devices_) {
    if (&each->minor().disk() != &disk) continue;
    const Status switched = each->SetLogged(true);
    if (switched.ok()) continue;
    EndLogLocked(disk, *log);
    return switched;
  }
  return Status::Ok();
}

void DeviceGroup::EndLog(Disk& disk, const RequestLog& log) {
  MutexLock lock(mu_);
  EndLogLocked(disk, log);
}

void DeviceGroup::EndLogLocked(Disk& disk, const RequestLog& log) {
  if (!disk.log().Remove(log)) return;
  for (Device* each : devices_) {
    // Taking a filter out needs no memory.
    if (&each->minor().disk() == &disk) static_cast<void>(each->SetLogged(false));
  }
}

std::unique_ptr<TrackedChanges> DeviceGroup::Track(Device& device, uint64_t granularity) {
  const auto shift = static_cast<unsigned>(std::countr_zero(granularity));
  auto map = std::make_shared<ChangeMap>(device.minor().span(), shift);
  // Before anything is switched on: from here on it ends the tracking.
  std::unique_ptr<TrackedChanges> tracked(new TrackedChanges(
      [group = shared_from_this(), minor = device.shared_minor(), map] { group->EndTracking(minor->disk(), *map); },
      device.shared_minor(), map));
  Disk& disk = device.minor().disk();
  MutexLock lock(mu_);
  disk.tracks().Add(map);
  for (Device* each : devices_) {
    if (&each->minor().disk() != &disk) continue;
    if (!each->SetTracked(true).ok()) throw std::bad_alloc();
    // Sequentially consistent with the entry of calls: what was admitted past the tracker is counted here.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (each->mode() == OpenMode::kReadWrite && each->calls().count() > 0) map->Mark(each->minor().span());
  }
  return tracked;
}

Status DeviceGroup::Trace(Device& device, std::shared_ptr<RequestTrace> trace, uint16_t index) {
  MutexLock lock(mu_);
  // The call that asks for this is none of calls().
  if (!device.tracer().Begin(std::move(trace), index, device.calls().count() == 0)) return {EBUSY, Op::kTrack};
  return device.SetTraced();
}

void DeviceGroup::EndTrace(Device& device, const RequestTrace& trace) {
  MutexLock lock(mu_);
  // Taking a filter out needs no memory.
  if (device.tracer().End(trace)) static_cast<void>(device.SetTraced());
}

Status DeviceGroup::Measure(Device& device) {
  MutexLock lock(mu_);
  device.tracer().Measure();
  return device.SetTraced();
}

Status DeviceGroup::MayKeep(const Device& device) {
  const Medium& medium = device.minor().disk().medium();
  if (device.mode() != OpenMode::kReadWrite) return {EACCES, Op::kTrack};
  const MediumSpan span = device.minor().span();
  const bool whole = span.begin.value == 0 && span.end.value == medium.size();
  const bool image = medium.identity().format != 0;
  return whole || !image ? Status::Ok() : Status{ENOTSUP, Op::kTrack, Why::kBitmapOfAll};
}

Result<std::unique_ptr<TrackedChanges>> DeviceGroup::Keep(Device& device, const std::string& name,
                                                          std::optional<uint64_t> granularity) {
  const Status may = MayKeep(device);
  if (!may.ok()) return may;
  std::optional<unsigned> shift;
  if (granularity) shift = static_cast<unsigned>(std::countr_zero(*granularity));
  auto kept = device.minor().disk().medium().KeepChanges(name, shift);
  if (!kept.ok()) return kept.status();
  return std::unique_ptr<TrackedChanges>(new TrackedChanges(device.shared_minor(), kept.Take()));
}

Result<std::vector<KeptBitmap>> DeviceGroup::ListKept(const Device& device) {
  return device.minor().disk().medium().ListKept();
}

Result<bool> DeviceGroup::RemoveKept(Device& device, const std::string& name) {
  const Status may = MayKeep(device);
  if (!may.ok()) return may;
  return device.minor().disk().medium().RemoveKept(name);
}

void DeviceGroup::EndTracking(Disk& disk, const ChangeMap& map) {
  MutexLock lock(mu_);
  disk.tracks().Remove(map);
  if (disk.tracks().any()) return;
  for (Device* each : devices_) {
    if (&each->minor().disk() == &disk) static_cast<void>(each->SetTracked(false));
  }
}

}  // namespace blk
