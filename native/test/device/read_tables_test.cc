// ReadTables and FindDeviceLabel: reads of tables are requests of the device, and their outcome says which version of
// the tables it is, and whether a failure was injected.
#include "core/device/table_ioctl.h"

#include <utility>

#include "test/support/check.h"
#include "test/support/device_rig.h"

namespace blk {
namespace {

using test::Call;
using test::DeviceRig;

PartitionTable OneSlice() {
  PartitionTable table;
  table.scheme = Scheme::kMbr;
  PartitionEntry entry;
  entry.start = 2048 * 512;
  entry.size = 2048 * 512;
  entry.type = 0x83;
  table.partitions.push_back(std::move(entry));
  return table;
}

TEST_CASE("tables are read by counted requests, with the version that a change is checked against") {
  DeviceRig rig;
  rig.host.KeepNoJournal();
  const auto device = rig.Open(Access::kPio);
  const auto none = ReadTables(*device, false, kSharedLane);
  REQUIRE(none.outcome.ok());
  CHECK_FALSE(none.outcome.value().table.has_value());
  CHECK_FALSE(none.injected);
  CHECK(rig.Count(Counter::kIoTotal) > 0);

  PartitionTable table = OneSlice();
  TableChange change;
  change.version = none.outcome.value().version;
  REQUIRE(WriteTable(*device, table, kSharedLane, Overwrite::kAllow, change).ok());
  const auto read = ReadTables(*device, true, kSharedLane);
  REQUIRE(read.outcome.ok());
  REQUIRE(read.outcome.value().table.has_value());
  CHECK(read.outcome.value().table->partitions.size() == 1);
  CHECK(read.outcome.value().version != none.outcome.value().version);
  CHECK(WriteTable(*device, table, kSharedLane, Overwrite::kAllow, change).err == EAGAIN);
}

TEST_CASE("what lies on a device as a whole is identified by counted requests") {
  DeviceRig rig;
  const auto device = rig.Open(Access::kPio);
  const auto nothing = IdentifyDevice(*device, kSharedLane);
  REQUIRE(nothing.outcome.ok());
  CHECK_FALSE(nothing.outcome.value().has_value());
  CHECK(rig.Count(Counter::kIoTotal) > 0);
  rig.faults.Set({kBlkfailMax, 1});
  CHECK(device->SetFaulty(true).ok());
  const auto injected = IdentifyDevice(*device, kSharedLane);
  CHECK(injected.outcome.status().err == EIO);
  CHECK(injected.injected);
}

TEST_CASE("a read of tables that fails says whether the injector made the failure") {
  DeviceRig rig;
  const auto device = rig.Open(Access::kPio);
  rig.faults.Set({kBlkfailMax, 1});
  CHECK(device->SetFaulty(true).ok());
  const auto injected = ReadTables(*device, false, kSharedLane);
  CHECK(injected.outcome.status().err == EIO);
  CHECK(injected.injected);
  CHECK(FindDeviceLabel(*device, kSharedLane).injected);
  CHECK(device->SetFaulty(false).ok());
  rig.host.FailAlways(Call::kPread, EIO);
  const auto failed = ReadTables(*device, false, kSharedLane);
  CHECK(failed.outcome.status().err == EIO);
  CHECK_FALSE(failed.injected);
  const auto label = FindDeviceLabel(*device, kSharedLane);
  CHECK(label.outcome.status().err == EIO);
  CHECK_FALSE(label.injected);
}

}  // namespace
}  // namespace blk
