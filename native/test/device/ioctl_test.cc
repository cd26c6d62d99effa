#include "core/device/ioctl.h"

#include "core/device/driver.h"
#include "test/support/check.h"
#include "test/support/device_rig.h"

namespace blk {
namespace {

using test::kMiB;

struct IoctlRig {
  // The device of minor `index`, 2048 sectors from 512 on.
  explicit IoctlRig(int index) : file(kMiB + 512) {
    MediumRange range;
    range.offset = 512;
    minor = test::CreateMinor(host, file.path(), range).Take();
    if (index != kPrivateMinor) minor->SetIndex(index);
    device = Device::Open(minor, {}, context).Take();
  }
  Result<IoctlResult> Ask(const char* request, std::optional<uint64_t> arg = std::nullopt) {
    return Ioctl(*device, request, arg);
  }
  test::FakeHost host;
  test::TempFile file;
  Counters counters;
  FaultInjector faults;
  DeviceContext context{counters, faults, {}, kDefaultWindowCount};
  std::shared_ptr<Minor> minor;
  std::unique_ptr<Device> device;
};

TEST_CASE("DIOCGDINFO gives the minor's label (B12: its partition is the minor modulo 16)") {
  for (const int index : {0, 5, 15, 16, 37}) {
    IoctlRig rig(index);
    const auto answer = rig.Ask("DIOCGDINFO");
    REQUIRE(answer.ok());
    const DiskLabel& label = std::get<DiskLabel>(answer.value());
    CHECK(label.npartitions == index % 16 + 1);
    CHECK(label.secperunit == 2048);
    CHECK(label.partitions[static_cast<size_t>(index % 16)].size == 2048);
    CHECK(LabelChecksum(label) == 0);
  }
}

TEST_CASE("DIOCGPART gives the partition asked for, by default the minor's own") {
  IoctlRig rig(3);
  CHECK(std::get<Partition>(rig.Ask("DIOCGPART").value()).size == 2048);
  CHECK(std::get<Partition>(rig.Ask("DIOCGPART", 3).value()).size == 2048);
  CHECK(std::get<Partition>(rig.Ask("DIOCGPART", 0).value()).size == 0);
  for (const uint64_t none : {uint64_t{4}, uint64_t{16}, UINT64_MAX}) {
    CHECK(rig.Ask("DIOCGPART", none).status().err == EINVAL);
    CHECK(rig.Ask("DIOCGPART", none).status().op == Op::kIoctl);
  }
}

TEST_CASE("a private minor has partition 0") {
  IoctlRig rig(kPrivateMinor);
  CHECK(std::get<Partition>(rig.Ask("DIOCGPART").value()).size == 2048);
  CHECK(rig.Ask("DIOCGPART", 1).status().err == EINVAL);
}

TEST_CASE("B11: sizes are in the units they say") {
  IoctlRig rig(0);
  CHECK(std::get<uint64_t>(rig.Ask("DIOCGMEDIASIZE").value()) == kMiB);
  CHECK(std::get<uint64_t>(rig.Ask("DIOCGSECTORSIZE").value()) == 512);
}

TEST_CASE("any other request is ENOTTY") {
  IoctlRig rig(0);
  for (const char* request : {"", "DIOCGDINF", "DIOCGDINFOO", "diocgdinfo", "DIOCEJECT"}) {
    CHECK(rig.Ask(request).status().err == ENOTTY);
    CHECK(rig.Ask(request).status().op == Op::kIoctl);
  }
}

}  // namespace
}  // namespace blk
