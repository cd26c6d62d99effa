#include "core/device/table_ioctl.h"

#include <utility>
#include <vector>

#include "core/device/device_source.h"
#include "core/device/label_ioctl.h"
#include "core/label/content_identity.h"
#include "core/label/write_table.h"

namespace blk {
namespace {

// The rule of CheckOpenPartitions() in label_ioctl.cc, for partitions of any scheme. A table of a partition says
// nothing of the disk's.
Status CheckOpen(const Minor& minor, const PartitionTable& table) {
  if (minor.partition() != nullptr) return Status::Ok();
  Status status = Status::Ok();
  minor.disk().label_state().ForEachPartition([&](const Minor& partition) {
    if (partition.open_count() == 0) return;
    const PartitionSpot& spot = *partition.partition();
    const auto found = FindPartition(table, spot.name);
    const bool there = found && found->entry->start == spot.start && found->entry->size >= spot.size;
    if (!there) status = {EBUSY, Op::kIoctl};
  });
  return status;
}

Status WriteAll(Device& device, TableWrite& write, Lane lane) {
  Request request =
      device.BytesRequest(Operation::kWrite, write.position, write.bytes.data(), write.bytes.size(), Fua::kOff);
  request.raw = false;
  request.lane = lane;
  device.Run(request);
  if (request.status.ok() && request.moved < write.bytes.size()) return {ENOSPC, Op::kStrategy};
  return request.status;
}

// Leaves out writes of guarded ranges that would change nothing there. -> EROFS where one would: asked before the first
// write, since a plan that ends at a guarded range would leave half of itself. Other writes are made even where they
// change nothing: what lies in the page cache after a sync that failed may be on no disk.
Status RespectGuards(const Device& device, TableSource& source, TablePlan& plan) {
  for (std::vector<TableWrite>& step : plan) {
    for (auto write = step.begin(); write != step.end();) {
      if (!device.Guards(write->position, write->bytes.size())) {
        ++write;
        continue;
      }
      std::vector<uint8_t> there(write->bytes.size());
      const Status status = source.Read(write->position, there.data(), there.size());
      if (!status.ok()) return status;
      if (there != write->bytes) return {EROFS, Op::kStrategy};
      write = step.erase(write);
    }
  }
  return Status::Ok();
}

}  // namespace

Found<VersionedTable> ReadTables(Device& device, bool probe, Lane lane) {
  const uint64_t version = device.minor().disk().label_state().version();
  DeviceSource source(device, lane);
  auto table = ReadPartitionTable(source);
  if (!table.ok()) return {table.status(), source.injected()};
  if (probe && table.value()) {
    const Status status = IdentifyContents(source, *table.value());
    if (!status.ok()) return {status, source.injected()};
  }
  return {VersionedTable{table.Take(), version}};
}

Found<std::optional<ContentIdentity>> IdentifyDevice(Device& device, Lane lane) {
  DeviceSource source(device, lane);
  auto outcome = IdentifyContent(source, 0, source.size());
  return {std::move(outcome), source.injected()};
}

Found<std::optional<PlacedLabel>> FindDeviceLabel(Device& device, Lane lane) {
  DeviceSource source(device, lane);
  auto outcome = FindLabel(source);
  return {std::move(outcome), source.injected()};
}

Status WriteTable(Device& device, PartitionTable& table, Lane lane, Overwrite overwrite, const TableChange& change) {
  if (device.mode() != OpenMode::kReadWrite) return {EACCES, Op::kStrategy};
  LabelState& state = device.minor().disk().label_state();
  MutexLock lock(state.changes());
  if (change.version && *change.version != state.version()) return {EAGAIN, Op::kIoctl};
  DeviceSource source(device, lane);
  auto plan = PlanTable(source, table, overwrite);
  if (!plan.ok()) return plan.status();
  if (HasVerdict(table)) return {EINVAL, Op::kIoctl};
  Status status = CheckOpen(device.minor(), table);
  if (!status.ok()) return status;
  status = RespectGuards(device, source, plan.value());
  if (!status.ok()) return status;
  if (change.dry_run) return Status::Ok();
  state.Change();
  for (std::vector<TableWrite>& step : plan.value()) {
    for (TableWrite& write : step) {
      status = WriteAll(device, write, lane);
      if (!status.ok()) return status;
    }
    status = device.Flush(lane);
    if (!status.ok()) return status;
  }
  state.SetInMemory(std::nullopt);  // the medium says it now
  return device.minor().disk().PlaceLabel();
}

}  // namespace blk
