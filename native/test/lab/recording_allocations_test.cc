// What it takes to record a write: no memory of its own.
#include "test/lab/lab_rig.h"
#include "test/support/device_rig.h"
#include "test/support/scarce_memory.h"

namespace blk::lab {
namespace {

TEST_CASE("a write of 4 KiB is recorded without an allocation, but for one of each thousand events") {
  test::DeviceRig rig;
  auto device = rig.Open(Access::kPio);
  Recording::Setting setting;
  auto recording = std::make_shared<Recording>(rig.host, setting);
  Disk& disk = rig.minor->disk();
  const uint16_t domain = recording->AddDomain(Base::Open(disk.medium().Again().Take(), disk.span()).Take());
  REQUIRE(recording->AddPart({rig.minor->span(), domain}).ok());
  REQUIRE(disk.log().Add(recording->LogOf(domain)).ok());
  REQUIRE(device->SetLogged(true).ok());
  std::vector<uint8_t> block(4096, 1);
  constexpr uint64_t kWrites = 4096;
  const auto write = [&](uint64_t i) {
    Request request =
        device->BytesRequest(Operation::kWrite, i % 256 * 4096, block.data(), block.size(), Fua::kByCacheMode);
    device->Run(request);
    return request.status.ok();
  };
  // What was there is kept once.
  for (uint64_t i = 0; i < 256; i++) REQUIRE(write(i));
  uint64_t made = 0;
  {
    test::Scarce count(UINT64_MAX);
    for (uint64_t i = 0; i < kWrites; i++) static_cast<void>(write(i));
    made = test::t_allocations.made;
  }
  CHECK(recording->requests() == 256 + kWrites);
  // Each thousand events, and the list of them now and then; each thousand blocks of data likewise.
  CHECK(made <= 4 * kWrites / 1024);
  disk.log().Remove(*recording->LogOf(domain));
}

}  // namespace
}  // namespace blk::lab
