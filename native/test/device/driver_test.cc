#include "core/device/driver.h"

#include <atomic>
#include <filesystem>
#include <set>

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

MediumRange Range(uint64_t offset = 0, std::optional<uint64_t> size = std::nullopt) {
  MediumRange range;
  range.offset = offset;
  range.size = size;
  return range;
}
OpenOptions Options(OpenMode mode = OpenMode::kReadWrite) {
  OpenOptions options;
  options.mode = mode;
  return options;
}
DriverOptions Minors(uint32_t count) {
  DriverOptions options;
  options.minor_count = count;
  return options;
}

TEST_CASE("minors are given lowest first, and a freed one is used again") {
  FakeHost host;
  const TempFile file(kMiB);
  Driver driver(Minors(4), host);
  for (int i = 0; i < 4; i++) CHECK(driver.Register(file.path(), Range(static_cast<uint64_t>(i) * 512)).value() == i);
  CHECK(driver.Deregister(1).ok());
  CHECK(driver.Deregister(2).ok());
  CHECK(driver.Register(file.path(), Range(9 * 512)).value() == 1);
  CHECK(host.open_descriptors() == 3);
}

TEST_CASE("a full table is EBUSY, for new ranges but not for known ones") {
  FakeHost host;
  const TempFile file(kMiB);
  Driver driver(Minors(2), host);
  CHECK(driver.Register(file.path(), Range(0)).value() == 0);
  CHECK(driver.Register(file.path(), Range(512)).value() == 1);
  const auto refused = driver.Register(file.path(), Range(1024));
  CHECK(refused.status().err == EBUSY);
  CHECK(refused.status().op == Op::kRegister);
  CHECK(driver.Register(file.path(), Range(512)).value() == 1);
  CHECK(host.open_descriptors() == 2);
}

TEST_CASE("B21: the same file and range is the same minor under any spelling, another range is another") {
  FakeHost host;
  const TempFile file(kMiB);
  std::filesystem::create_symlink(file.path(), file.Sibling("link"));
  Driver driver({}, host);
  CHECK(driver.Register(file.path(), Range(0, 4096)).value() == 0);
  CHECK(driver.Register(file.Sibling("link"), Range(0, 4096)).value() == 0);
  CHECK(driver.Register(file.path(), Range(0, 8192)).value() == 1);
  CHECK(driver.Register(file.path(), Range(4096, 4096)).value() == 2);
  CHECK(driver.Register(file.path(), Range(0)).value() == 3);
  CHECK(driver.Register(file.path(), Range(0, kMiB)).value() == 3);
  CHECK(host.open_descriptors() == 4);
  CHECK(driver.Minors()[0].path == file.path());
}

TEST_CASE("B22, B27: what does not exist is an errno, not a crash") {
  FakeHost host;
  const TempFile file(kMiB);
  Driver driver(Minors(4), host);
  CHECK(driver.Register(file.path(), Range(kMiB + 1)).status().err == EINVAL);
  CHECK(driver.Register(file.Sibling("missing"), Range()).status().err == ENOENT);
  for (const int minor : {-2, -1, 0, 3, 4, 1 << 30}) {
    CHECK(driver.Open(minor, Options()).status().err == ENXIO);
    CHECK(driver.Open(minor, Options()).status().op == Op::kOpen);
    CHECK(driver.Deregister(minor).err == ENXIO);
    CHECK(driver.Deregister(minor).op == Op::kDeregister);
  }
  CHECK(driver.Minors().empty());
}

TEST_CASE("the list of minors says what each is") {
  FakeHost host;
  const TempFile file(kMiB);
  Driver driver({}, host);
  REQUIRE(driver.Register(file.path(), Range(512, 4096)).ok());
  auto device = driver.Open(0, Options()).Take();
  const auto list = driver.Minors();
  REQUIRE(list.size() == 1);
  CHECK(list[0].minor == 0);
  CHECK(list[0].path == file.path());
  CHECK(list[0].offset == 512);
  CHECK(list[0].size == 4096);
  CHECK(list[0].kind == MediumKind::kFile);
  CHECK(list[0].open_count == 1);
  CHECK(device->Close(0).ok());
  CHECK(driver.Minors()[0].open_count == 0);
}

TEST_CASE("B16: a minor that is open is not freed, and one that is freed can not be opened") {
  FakeHost host;
  const TempFile file(kMiB);
  Driver driver({}, host);
  REQUIRE(driver.Register(file.path(), Range()).ok());
  auto device = driver.Open(0, Options()).Take();
  CHECK(driver.Deregister(0).err == EBUSY);
  CHECK(Write(*device, 0, Pattern(0, 512)).moved == 512);
  CHECK(device->Close(0).ok());
  CHECK(driver.Deregister(0).ok());
  CHECK(host.open_descriptors() == 0);
  CHECK(driver.Open(0, Options()).status().err == ENXIO);
  CHECK(driver.Deregister(0).err == ENXIO);
}

TEST_CASE("a deregister whose close(2) fails says so and frees the minor anyway") {
  FakeHost host;
  const TempFile file(kMiB);
  Driver driver({}, host);
  REQUIRE(driver.Register(file.path(), Range()).ok());
  host.Fail(Call::kClose, EIO);
  CHECK(driver.Deregister(0).err == EIO);
  CHECK(driver.Minors().empty());
  CHECK(host.open_descriptors() == 0);
}

TEST_CASE("a private device is in no table, and lets go of everything at its close") {
  FakeHost host;
  const TempFile file(kMiB);
  file.Fill();
  Driver driver(Minors(1), host);
  auto first = driver.OpenPrivate(file.path(), Range(512, 4096), "", Options(OpenMode::kRead)).Take();
  auto second = driver.OpenPrivate(file.path(), Range(512, 4096), "", Options(OpenMode::kRead)).Take();
  CHECK(first->minor().index() == kPrivateMinor);
  CHECK(driver.Minors().empty());
  CHECK(driver.Register(file.path(), Range(512, 4096)).value() == 0);  // not matched by the private ones
  CHECK(Read(*first, 0, 512) == Pattern(512, 512));
  CHECK(driver.OpenPrivate(file.path(), Range(512, 4096), "", Options()).status().err == EBUSY);  // B29
  CHECK(first->Close(0).ok());
  CHECK(second->Close(0).ok());
  CHECK(driver.Deregister(0).ok());
  CHECK(host.open_descriptors() == 0);
  CHECK(host.mappings() == 0);
}

TEST_CASE("faults reach devices that are open and those that open later, and leave with the rate") {
  FakeHost host;
  const TempFile file(kMiB);
  Driver driver({}, host);
  REQUIRE(driver.Register(file.path(), Range()).ok());
  auto before = driver.Open(0, Options()).Take();
  FaultInjector::Settings settings;
  settings.rate = kBlkfailMax;
  settings.seed = 7;
  CHECK(driver.SetFaults(settings).ok());
  CHECK(driver.faults().rate == kBlkfailMax);
  CHECK(driver.faults().seed == 7);
  auto after = driver.Open(0, Options()).Take();
  auto on_its_own = driver
                        .OpenPrivate(file.path(), Range(0), "",
                                     [] {
                                       OpenOptions options;
                                       options.lock = false;
                                       return options;
                                     }())
                        .Take();
  for (Device* device : {before.get(), after.get(), on_its_own.get()}) CHECK(Read(*device, 0, 512).empty());
  settings.rate = 0;
  CHECK(driver.SetFaults(settings).ok());
  for (Device* device : {before.get(), after.get(), on_its_own.get()}) CHECK(Read(*device, 0, 512).size() == 512);
  CHECK(driver.counters().Snapshot()[static_cast<size_t>(Counter::kFaultsInjected)] == 3);
}

TEST_CASE("B41: eight threads that register one file get one minor") {
  test::Watchdog watchdog("B41");
  for (int round = 0; round < 50; round++) {
    FakeHost host;
    const TempFile file(kMiB);
    Driver driver({}, host);
    std::vector<int> minors(8, -1);
    test::RunTogether(8, [&](size_t index) {
      const auto registered = driver.Register(file.path(), Range(512));
      if (registered.ok()) minors[index] = registered.value();
    });
    REQUIRE(minors == std::vector<int>(8, 0));
    REQUIRE(driver.Minors().size() == 1);
    REQUIRE(host.open_descriptors() == 1);
  }
}

TEST_CASE("B41: eight threads that register eight ranges get eight minors") {
  FakeHost host;
  const TempFile file(kMiB);
  Driver driver({}, host);
  std::vector<int> minors(8, -1);
  test::RunTogether(8, [&](size_t index) {
    const auto registered = driver.Register(file.path(), Range(512 * index));
    if (registered.ok()) minors[index] = registered.value();
  });
  const std::set<int> distinct(minors.begin(), minors.end());
  CHECK(distinct == std::set<int>{0, 1, 2, 3, 4, 5, 6, 7});
  for (size_t i = 0; i < 8; i++) CHECK(driver.Minors()[static_cast<size_t>(minors[i])].offset == 512 * i);
}

TEST_CASE("B19: threads that open, use, close, register and deregister one file") {
  test::Watchdog watchdog("B19");
  FakeHost host;
  const TempFile file(kMiB);
  file.Fill();
  std::atomic<int> wrong{0}, opened{0};
  {
    Driver driver(Minors(2), host);
    test::RunTogether(6, [&](size_t index) {
      for (int i = 0; i < 60; i++) {
        const auto minor = driver.Register(file.path(), Range());
        if (!minor.ok()) continue;
        auto device = driver.Open(minor.value(), Options(index % 2 == 0 ? OpenMode::kReadWrite : OpenMode::kRead));
        if (device.ok()) {
          opened++;
          wrong += Read(*device.value(), 4096, 512) != Pattern(4096, 512);
          wrong += !device.value()->Close(0).ok();
        } else {
          const int err = device.status().err;
          wrong += err != ENXIO && err != EBUSY;  // deregistered meanwhile; or locked by the minor before it
        }
        const Status gone = driver.Deregister(minor.value());
        wrong += !gone.ok() && gone.err != EBUSY && gone.err != ENXIO;
      }
    });
    CHECK(driver.Close().ok());
  }
  CHECK(wrong == 0);
  CHECK(opened > 0);
  CHECK(host.open_descriptors() == 0);
  CHECK(host.mappings() == 0);
  CHECK(host.misuses() == 0);
}

}  // namespace
}  // namespace blk
