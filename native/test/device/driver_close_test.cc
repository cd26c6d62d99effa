// Driver: what its close waits for and refuses, and devices that outlive it.
#include <optional>
#include <thread>
#include <vector>

#include "core/device/driver.h"
#include "test/support/check.h"
#include "test/support/device_rig.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::kMiB;
using test::Pattern;
using test::Read;
using test::TempFile;
using test::Write;

MediumRange Range() { return {}; }
OpenOptions Options(OpenMode mode = OpenMode::kReadWrite) {
  OpenOptions options;
  options.mode = mode;
  return options;
}

TEST_CASE("a driver is not closed while a device is open; closed, it answers EBADF and holds nothing") {
  FakeHost host;
  const TempFile file(kMiB);
  Driver driver({}, host);
  REQUIRE(driver.Register(file.path(), Range()).ok());
  auto device = driver.Open(0, Options()).Take();
  CHECK(driver.Close().err == EBUSY);
  CHECK(driver.Close().op == Op::kClose);
  CHECK(device->Close(0).ok());
  CHECK(driver.Close().ok());  // although the object of the closed device is still there
  CHECK(driver.Close().ok());
  CHECK(host.open_descriptors() == 0);
  CHECK(driver.Register(file.path(), Range()).status().err == EBADF);
  CHECK(driver.Deregister(0).err == EBADF);
  CHECK(driver.Open(0, Options()).status().err == EBADF);
  CHECK(driver.OpenPrivate(file.path(), Range(), "", Options()).status().err == EBADF);
  // Closed comes before whatever the host has to say.
  CHECK(driver.Register(file.Sibling("missing"), Range()).status().err == EBADF);
  CHECK(driver.OpenPrivate(file.Sibling("missing"), Range(), "", Options()).status().err == EBADF);
  CHECK(driver.Minors().empty());
  CHECK(host.open_descriptors() == 0);
  CHECK(host.mappings() == 0);
}

TEST_CASE("a driver is not closed under a call, and barred it lets none enter") {
  FakeHost host;
  const TempFile file(kMiB);
  Driver driver({}, host);
  {
    const auto call = driver.calls().Enter();
    REQUIRE(call.ok());
    CHECK(driver.Close().err == EBUSY);
    CHECK(driver.Close().op == Op::kClose);
    REQUIRE(driver.Register(file.path(), Range()).ok());
  }
  auto device = driver.Open(0, Options()).Take();
  driver.calls().CloseAndWait();
  CHECK(driver.Open(0, Options()).status().err == EBADF);
  CHECK(driver.Open(0, Options()).status().op == Op::kOpen);
  CHECK(driver.Close().err == EBUSY);
  CHECK(Write(*device, 0, Pattern(0, 512)).moved == 512);
  CHECK(device->Close().ok());
  CHECK(driver.Close().ok());
  CHECK(host.open_descriptors() == 0);
}

TEST_CASE("a driver is not closed before the close of its last device is over") {
  test::Watchdog watchdog("closes of a device and its driver");
  FakeHost host;
  const TempFile file(kMiB);
  test::Gate sync;
  host.before = [&](const test::CallRecord& record) {
    if (record.call == Call::kFdatasync) sync.Wait();
  };
  Driver driver({}, host);
  REQUIRE(driver.Register(file.path(), Range()).ok());
  auto device = driver.Open(0, Options()).Take();
  CHECK(Write(*device, 0, Pattern(0, 512)).moved == 512);
  std::thread closer([&] { CHECK(device->Close().ok()); });
  sync.AwaitArrivals(1);
  CHECK(driver.Close().err == EBUSY);
  sync.Open();
  closer.join();
  CHECK(driver.Close().ok());
  CHECK(host.open_descriptors() == 0);
}

TEST_CASE("devices and leases of lanes outlive their driver, and are as good as before") {
  FakeHost host;
  const TempFile file(kMiB);
  file.Fill();
  std::shared_ptr<Device> open, other;
  std::optional<LaneLease> lease;
  {
    Driver driver({}, host);
    REQUIRE(driver.Register(file.path(), Range()).ok());
    open = driver.Open(0, Options()).Take();
    other = driver.Open(0, Options(OpenMode::kRead)).Take();
    lease.emplace(driver.lanes());
    CHECK(driver.SetFaults({kBlkfailMax, 7}).ok());
  }
  CHECK(Read(*open, 0, 512).empty());  // the faults were set, and stay
  CHECK(open->SetFaulty(false).ok());
  std::vector<uint8_t> bytes = Pattern(512, 512, 1);
  Request write = open->BytesRequest(Operation::kWrite, 512, bytes.data(), bytes.size(), Fua::kByCacheMode);
  write.lane = lease->lane();
  open->Run(write);
  CHECK(write.moved == 512);
  CHECK(Read(*open, 512, 512) == Pattern(512, 512, 1));
  CHECK(other->Close().ok());
  other.reset();
  CHECK(open->Close().ok());
  open.reset();
  CHECK(host.open_descriptors() == 0);
  CHECK(host.mappings() == 0);
  CHECK(host.misuses() == 0);
}

}  // namespace
}  // namespace blk
