// Device: flush and close, what a close waits for, and what one open's errors mean for the others of the minor.

#include <atomic>
#include <thread>

#include "test/support/check.h"
#include "test/support/device_rig.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Call;
using test::DeviceRig;
using test::kMiB;
using test::Pattern;
using test::Read;
using test::Write;

TEST_CASE("B25: close reports a flush that failed, and frees everything anyway") {
  DeviceRig rig;
  auto device = rig.Open(Access::kMmap);
  CHECK(Write(*device, 0, Pattern(0, 512)).status.ok());
  rig.host.Fail(Call::kFdatasync, EIO);
  const Status status = device->Close(0);
  CHECK(status.err == EIO);
  CHECK(status.op == Op::kFdatasync);
  CHECK(device->closed());
  CHECK(device->Close(0).ok());
  CHECK(rig.host.mappings() == 0);
  CHECK(rig.host.open_descriptors() == 1);
  CHECK(rig.minor->open_count() == 0);
  auto again = rig.Open();  // the error went with the last close
  CHECK(Write(*again, 0, Pattern(0, 512)).status.ok());
  CHECK(again->Flush(0).ok());
}

TEST_CASE("B25: munmap and close errors are reported when nothing came before them") {
  DeviceRig rig;
  auto device = rig.Open(Access::kMmap);
  rig.host.Fail(Call::kMunmap, EINVAL, 2);
  rig.host.Fail(Call::kClose, EIO);
  CHECK(device->Close(0).op == Op::kMunmap);
  CHECK(rig.host.mappings() == 0);
  CHECK(rig.host.open_descriptors() == 1);
  device = rig.Open(Access::kAuto);
  rig.host.Fail(Call::kClose, EIO);
  CHECK(device->Close(0).op == Op::kClose);
  CHECK(rig.host.open_descriptors() == 1);
}

TEST_CASE("a sync error is told to every open of the minor until the last one closes") {
  DeviceRig rig;
  auto first = rig.Open();
  auto second = rig.Open(Access::kPio);
  CHECK(Write(*first, 0, Pattern(0, 512)).status.ok());
  rig.host.Fail(Call::kFdatasync, EIO);
  CHECK(first->Flush(0).err == EIO);
  CHECK(second->Flush(0).err == EIO);
  CHECK(Write(*second, 0, Pattern(0, 512), Fua::kOn).status.err == EIO);
  CHECK(first->Close(0).err == EIO);
  CHECK(second->Close(0).err == EIO);
}

TEST_CASE("a host file that shrank is EIO at flush and at close") {
  DeviceRig rig;
  auto device = rig.Open(Access::kPio);
  rig.file.Truncate(kMiB);
  ByteSpan lost;
  CHECK(device->Flush(0, &lost).err == EIO);
  CHECK(lost.begin == kMiB);
  CHECK(lost.end == 4 * kMiB);
  CHECK(device->Flush(0).op == Op::kFlush);
  CHECK(device->Close(0, &lost).err == EIO);
  CHECK(lost.begin == kMiB);  // told as long as it is so
}

TEST_CASE("B16: close waits for calls under way, and bars those that come") {
  test::Watchdog watchdog("close waits for calls");
  DeviceRig rig;
  auto device = rig.Open(Access::kAuto);
  auto call = device->calls().Enter();
  REQUIRE(call.ok());
  std::atomic<bool> ended{false};
  std::thread closer([&] {
    CHECK(device->Close().ok());
    CHECK(ended);
  });
  CHECK(test::EventuallyTrue([&] { return device->calls().closed(); }));
  CHECK(device->calls().Enter().status().err == EBADF);
  CHECK_FALSE(device->closed());
  CHECK(Write(*device, 0, Pattern(0, 512, 1)).status.ok());
  ended = true;
  call.value().End();
  closer.join();
  CHECK(device->closed());
  CHECK(rig.minor->open_count() == 0);
  CHECK(rig.Syncs() == 1);  // what the call wrote while the close waited
}

TEST_CASE("a second close returns when the first one is over") {
  test::Watchdog watchdog("two closes");
  DeviceRig rig;
  auto device = rig.Open(Access::kPio);
  CHECK(Write(*device, 0, Pattern(0, 512)).status.ok());
  test::Gate sync;
  rig.host.before = [&](const test::CallRecord& record) {
    if (record.call == Call::kFdatasync) sync.Wait();
  };
  std::thread first([&] { CHECK(device->Close().ok()); });
  sync.AwaitArrivals(1);
  CHECK_FALSE(device->closed());
  std::atomic<bool> begun{false};
  std::thread second([&] {
    begun = true;
    CHECK(device->Close().ok());
    CHECK(device->closed());
    CHECK(rig.minor->open_count() == 0);
  });
  while (!begun) std::this_thread::yield();
  sync.Open();
  first.join();
  second.join();
  CHECK(rig.Syncs() == 1);
}

TEST_CASE("B16: closing one open leaves the other one working") {
  DeviceRig rig;
  auto first = rig.Open(Access::kMmap);
  auto second = rig.Open(Access::kMmap);
  CHECK(first->Close(0).ok());
  CHECK(Read(*second, 3 * kMiB, 5000) == Pattern(3 * kMiB, 5000));
  CHECK(Write(*second, 0, Pattern(0, 512, 1)).moved == 512);
}

}  // namespace
}  // namespace blk
