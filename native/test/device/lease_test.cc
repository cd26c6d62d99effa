// Leases: bytes of a device lent as memory, and the windows that they pin. What they lose is in lease_loss_test.cc.
#include "core/device/lease.h"

#include <cstring>

#include "test/support/check.h"
#include "test/support/lease_rig.h"

namespace blk {
namespace {

using test::Call;
using test::kMiB;
using test::LeaseRig;
using test::Pattern;
using test::Read;
using test::Write;

TEST_CASE("a lease shows the device's bytes, and its stores reach the file") {
  for (const Access access : {Access::kMmap, Access::kAuto}) {
    LeaseRig rig(OpenMode::kReadWrite, access);
    auto lease = rig.device->Map(1000, 5000).Take();
    CHECK(lease->size() == 5000);
    CHECK(std::memcmp(lease->data(), Pattern(1512, 5000).data(), 5000) == 0);
    lease->data()[0] = 0x11;
    lease->data()[4999] = 0x22;
    CHECK(Read(*rig.device, 1000, 1) == std::vector<uint8_t>{0x11});
    CHECK(lease->Release().ok());
    CHECK(lease->Release().ok());
    CHECK(rig.file.Read(1512 + 4999, 1) == std::vector<uint8_t>{0x22});
    CHECK(Write(*rig.device, 1000, {0x33}).moved == 1);
  }
}

TEST_CASE("on an 'r' device a lease is private: stores stay in it and harm nobody") {
  for (const Access access : {Access::kMmap, Access::kAuto}) {
    LeaseRig rig(OpenMode::kRead, access);
    auto lease = rig.device->Map(1000, 5000).Take();
    CHECK(rig.host.Journal(Call::kMmap).back().mode == MapMode::kCopyOnWrite);
    CHECK(std::memcmp(lease->data(), Pattern(1512, 5000).data(), 5000) == 0);
    std::memset(lease->data(), 0, 5000);
    CHECK(Read(*rig.device, 1000, 5000) == Pattern(1512, 5000));
    const size_t mapped = rig.host.mappings();
    CHECK(lease->Release().ok());
    CHECK(rig.host.mappings() == mapped - 1);
    CHECK(rig.file.Read(1512, 5000) == Pattern(1512, 5000));
    CHECK(rig.device->Flush(0).ok());
    CHECK(rig.host.calls(Call::kFdatasync) == 0);
  }
}

TEST_CASE("ranges that are empty, outside or across windows are EINVAL") {
  for (const OpenMode mode : {OpenMode::kRead, OpenMode::kReadWrite}) {
    LeaseRig rig(mode);
    const uint64_t size = 8 * kMiB - 512;
    const uint64_t edge = kMiB - 512;  // of the first window, in device bytes
    // No structured binding: clang 14 lets no lambda have one, and INFO() is one.
    for (const auto& part : std::vector<std::pair<uint64_t, size_t>>{{0, 0},
                                                                     {size, 1},
                                                                     {size + 1, 1},
                                                                     {0, size + 1},
                                                                     {size - 1, 2},
                                                                     {UINT64_MAX, 2},
                                                                     {edge - 1, 2},
                                                                     {0, edge + 1}}) {
      const uint64_t position = part.first;
      const size_t length = part.second;
      INFO("position " << position << " length " << length);
      CHECK(rig.device->Map(position, length).status().err == EINVAL);
      CHECK(rig.device->Map(position, length).status().op == Op::kMap);
    }
    CHECK(rig.device->Map(0, edge).ok());
    CHECK(rig.device->Map(edge, kMiB).ok());
    CHECK(rig.device->Map(size - 1, 1).ok());
  }
}

TEST_CASE("a pread and pwrite device lends nothing") {
  LeaseRig rig(OpenMode::kReadWrite, Access::kPio);
  CHECK(rig.device->Map(0, 512).status().err == ENOTSUP);
}

TEST_CASE("a leased window is not replaced, and requests always find another") {
  LeaseRig rig(OpenMode::kReadWrite, Access::kMmap, 2);
  auto lease = rig.device->Map(3 * kMiB, 100).Take();
  const uint8_t* const memory = lease->data();
  for (uint64_t at = 0; at < 8 * kMiB - 4096; at += kMiB) CHECK(Read(*rig.device, at, 100) == Pattern(at + 512, 100));
  CHECK(std::memcmp(memory, Pattern(3 * kMiB + 512, 100).data(), 100) == 0);
  CHECK(rig.device->Map(5 * kMiB, 100).status().err == EBUSY);  // the last free window
  auto same = rig.device->Map(3 * kMiB + 4096, 100);            // the same window once more is fine
  CHECK(same.ok());
  CHECK(same.value()->Release().ok());
  CHECK(rig.device->Map(5 * kMiB, 100).status().err == EBUSY);
  CHECK(lease->Release().ok());
  CHECK(rig.device->Map(5 * kMiB, 100).ok());
}

TEST_CASE("under auto a lease maps its window in the place of another") {
  LeaseRig rig(OpenMode::kReadWrite, Access::kAuto, 3);
  const size_t mapped = rig.host.mappings();
  auto lease = rig.device->Map(6 * kMiB, 100);  // shares its slot with windows 0 and 3
  REQUIRE(lease.ok());
  CHECK(std::memcmp(lease.value()->data(), Pattern(6 * kMiB + 512, 100).data(), 100) == 0);
  CHECK(rig.host.mappings() == mapped);
  CHECK(Read(*rig.device, 3 * kMiB, 100) == Pattern(3 * kMiB + 512, 100));
}

TEST_CASE("under auto a lease whose window's place is leased already has a mapping of its own, shared and dirty") {
  LeaseRig rig(OpenMode::kReadWrite, Access::kAuto, 3);
  const size_t mapped = rig.host.mappings();
  auto first = rig.device->Map(6 * kMiB, 100);
  REQUIRE(first.ok());
  auto lease = rig.device->Map(3 * kMiB + 1000, 5000).Take();  // windows 6 and 3 share a slot
  CHECK(rig.host.mappings() == mapped + 1);
  CHECK(std::memcmp(lease->data(), Pattern(3 * kMiB + 1512, 5000).data(), 5000) == 0);
  lease->data()[4999] = 0x44;
  CHECK(Read(*rig.device, 3 * kMiB + 5999, 1) == std::vector<uint8_t>{0x44});
  CHECK(rig.device->Map(kMiB, 100).status().err == EBUSY);  // it counts: the last free window is not leased
  CHECK(rig.device->Flush(0).ok());
  CHECK(lease->Release().ok());
  CHECK(rig.host.mappings() == mapped);
  CHECK(rig.device->Flush(0).ok());
  CHECK(rig.host.calls(Call::kFdatasync) == 2);
  CHECK(rig.device->Map(kMiB, 100).ok());
  rig.host.Fail(Call::kMmap, ENOMEM);
  CHECK(rig.device->Map(3 * kMiB, 100).status().err == ENOMEM);
  CHECK(rig.device->Map(kMiB, 100).ok());  // and pins nothing
}

TEST_CASE("with a window for every place all may be leased") {
  for (const Access access : {Access::kMmap, Access::kAuto}) {
    LeaseRig rig(OpenMode::kReadWrite, access, 16);
    std::vector<std::unique_ptr<Lease>> leases;
    for (uint64_t at = 0; at < 8 * kMiB - 512; at += kMiB) leases.push_back(rig.device->Map(at, 1).Take());
    CHECK(leases.size() == 8);
    CHECK(Read(*rig.device, 5 * kMiB, 100) == Pattern(5 * kMiB + 512, 100));
  }
}

TEST_CASE("what is leased for writing is dirty until a flush that starts after its release") {
  LeaseRig rig;
  auto lease = rig.device->Map(0, 512).Take();
  CHECK(rig.device->Flush(0).ok());
  CHECK(rig.device->Flush(0).ok());
  CHECK(rig.host.calls(Call::kFdatasync) == 2);
  CHECK(lease->Release().ok());
  CHECK(rig.device->Flush(0).ok());
  CHECK(rig.device->Flush(0).ok());
  CHECK(rig.host.calls(Call::kFdatasync) == 3);
}

TEST_CASE("a mapping that fails is the lease's error and pins nothing") {
  for (const OpenMode mode : {OpenMode::kRead, OpenMode::kReadWrite}) {
    LeaseRig rig(mode, Access::kMmap, 2);
    rig.host.Fail(Call::kMmap, ENOMEM);
    CHECK(rig.device->Map(5 * kMiB, 100).status().err == ENOMEM);
    CHECK(rig.device->Map(6 * kMiB, 100).ok());
    CHECK(rig.device->Close(0).ok());
    CHECK(rig.host.mappings() == 0);
  }
}

TEST_CASE("a device that is closed under its leases unmaps nothing of theirs, and all when it goes") {
  LeaseRig rig;
  auto lease = rig.device->Map(2 * kMiB, 100).Take();
  CHECK(rig.device->Close(0).ok());
  CHECK(std::memcmp(lease->data(), Pattern(2 * kMiB + 512, 100).data(), 100) == 0);
  CHECK(lease->Release().ok());
  lease.reset();
  rig.device.reset();
  CHECK(rig.host.mappings() == 0);
  CHECK(rig.host.misuses() == 0);
}

TEST_CASE("a lease that goes is released") {
  LeaseRig rig(OpenMode::kReadWrite, Access::kMmap, 2);
  { auto dropped = rig.device->Map(3 * kMiB, 100); }
  CHECK(rig.device->Map(5 * kMiB, 100).ok());
}

}  // namespace
}  // namespace blk
