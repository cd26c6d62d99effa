#include "core/device/device_group.h"

#include <algorithm>
#include <atomic>
#include <bit>
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
  added->SetTracked(added->minor().disk().tracks().any());
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
    each->SetTracked(true);
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
  device.SetTraced();
  return Status::Ok();
}

void DeviceGroup::EndTrace(Device& device, const RequestTrace& trace) {
  MutexLock lock(mu_);
  if (device.tracer().End(trace)) device.SetTraced();
}

void DeviceGroup::Measure(Device& device) {
  MutexLock lock(mu_);
  device.tracer().Measure();
  device.SetTraced();
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
    if (&each->minor().disk() == &disk) each->SetTracked(false);
  }
}

}  // namespace blk
