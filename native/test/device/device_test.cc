// Device: one open, from the options to the strategy that serves it. Its close is in device_close_test.cc.

#include "test/support/check.h"
#include "test/support/device_rig.h"

namespace blk {
namespace {

using test::Call;
using test::DeviceRig;
using test::FakeHost;
using test::kGiB;
using test::kMiB;
using test::Pattern;
using test::Read;
using test::Write;

TEST_CASE("bytes go through every access, at any position, behind any offset") {
  for (const Access access : {Access::kAuto, Access::kMmap, Access::kPio}) {
    DeviceRig rig;
    OpenOptions options;
    options.mode = OpenMode::kReadWrite;
    options.access = access;
    auto device = rig.Open(options, 1000);
    CHECK(device->access() == access);
    CHECK(device->mode() == OpenMode::kReadWrite);
    CHECK(Read(*device, 12345, 70000) == Pattern(13345, 70000));
    CHECK(Write(*device, 54321, Pattern(0, 777, 1)).moved == 777);
    CHECK(Read(*device, 54321, 777) == Pattern(0, 777, 1));
    CHECK(rig.file.Read(55321, 777) == Pattern(0, 777, 1));
    CHECK(Read(*device, 4 * kMiB - 1000 - 5, 100).size() == 5);  // B2: the last bytes are reached
    CHECK(device->Close(0).ok());
    CHECK(rig.host.open_descriptors() == 1);
    CHECK(rig.host.mappings() == 0);
  }
}

TEST_CASE("windows: 16 of 1 MiB under mmap, and as large as it takes under auto") {
  DeviceRig rig(40 * kMiB);
  auto mapped = rig.Open(Access::kMmap);
  CHECK(mapped->Windows().size() == 16);
  CHECK(mapped->Windows()[0].length == kMiB);
  auto automatic = rig.Open(Access::kAuto);
  CHECK(automatic->Windows().size() == 10);  // 4 MiB is the smallest power of two of which 16 cover 40 MiB
  CHECK(automatic->Windows()[0].length == 4 * kMiB);
  CHECK(rig.Open(Access::kPio)->Windows().empty());
}

TEST_CASE("windows: sizes and counts that the driver names are obeyed") {
  DeviceRig rig;
  rig.context.window_size = {WindowSize::Kind::kBytes, 64 * 1024};
  rig.context.window_count = 3;
  CHECK(rig.Open(Access::kMmap)->Windows().size() == 3);
  CHECK(rig.Open(Access::kMmap)->Windows()[0].length == 64 * 1024);
  CHECK(rig.Open(Access::kAuto)->Windows().size() == 3);
  rig.context.window_size = {WindowSize::Kind::kAuto, 0};
  CHECK(rig.Open(Access::kMmap)->Windows()[0].length == 2 * kMiB);
}

TEST_CASE("windows: auto stops at 4 GiB a window") {
  DeviceRig rig(0);
  rig.file.Truncate(9 * kGiB);
  rig.context.window_count = 2;
  auto device = rig.Open(Access::kAuto);
  REQUIRE(device->Windows().size() == 2);
  CHECK(device->Windows()[0].length == 4 * kGiB);
  const uint64_t at = 8 * kGiB + 77;  // B3, and beyond every window
  CHECK(Write(*device, at, Pattern(at, 1000)).moved == 1000);
  for (int i = 0; i < 3; i++) CHECK(Read(*device, at, 1000) == Pattern(at, 1000));
}

TEST_CASE("a device whose windows cannot be mapped is a pread and pwrite device") {
  DeviceRig rig;
  rig.host.Fail(Call::kMmap, ENODEV, 1);
  auto device = rig.Open(Access::kMmap);
  CHECK(device->access() == Access::kPio);
  CHECK(device->Windows().empty());
  CHECK(rig.host.mappings() == 0);
  CHECK(Read(*device, 100, 5000) == Pattern(100, 5000));
}

TEST_CASE("nodes and O_DIRECT opens are pread and pwrite devices") {
  DeviceRig rig;
  FakeHost::Node node;
  node.size = 4 * kMiB;
  rig.host.node = node;
  CHECK(rig.Open(Access::kMmap)->access() == Access::kPio);
  CHECK(rig.host.calls(Call::kMmap) == 0);

  DeviceRig direct;
  direct.host.direct = DirectAlignment{64, 512};
  OpenOptions options;
  options.direct = true;
  options.access = Access::kMmap;
  auto device = direct.Open(options);
  CHECK(device->access() == Access::kPio);
  CHECK(direct.host.calls(Call::kMmap) == 0);
}

TEST_CASE("a device without bytes opens, reads nothing and closes") {
  for (const Access access : {Access::kAuto, Access::kMmap, Access::kPio}) {
    DeviceRig rig(0);
    auto device = rig.Open(access);
    CHECK(device->access() == access);
    CHECK(Read(*device, 0, 512).empty());
    CHECK(Write(*device, 0, Pattern(0, 512)).status.ok());
    CHECK(device->Close(0).ok());
    CHECK(rig.file.Size() == 0);
  }
}

TEST_CASE("cache modes: which writes are durable when they complete") {
  struct Case {
    CacheMode cache;
    bool by_mode, off, on, strategy, deferred;
  };
  const Case cases[] = {{CacheMode::kWritethrough, true, false, true, true, false},
                        {CacheMode::kWriteback, false, false, true, true, false},
                        {CacheMode::kUnsafe, false, false, false, false, false}};
  for (const Case& c : cases) {
    DeviceRig rig;
    auto device = rig.Open(Access::kAuto, c.cache);
    uint8_t byte = 0;
    const auto durable = [&](Operation op, Fua fua) { return device->BytesRequest(op, 0, &byte, 1, fua).durable; };
    CHECK(durable(Operation::kWrite, Fua::kByCacheMode) == c.by_mode);
    CHECK(durable(Operation::kWrite, Fua::kOff) == c.off);
    CHECK(durable(Operation::kWrite, Fua::kOn) == c.on);
    CHECK_FALSE(durable(Operation::kRead, Fua::kOn));
    CHECK(device->BufRequest(Operation::kWrite, 0, &byte, 1, false).durable == c.strategy);
    CHECK(device->BufRequest(Operation::kWrite, 0, &byte, 1, true).durable == c.deferred);
    CHECK(device->BufRequest(Operation::kWrite, 0, &byte, 1, true).deferred);
    CHECK_FALSE(device->BufRequest(Operation::kRead, 0, &byte, 1, false).durable);
  }
}

TEST_CASE("cache modes: what reaches the host") {
  for (const Access access : {Access::kAuto, Access::kMmap, Access::kPio}) {
    DeviceRig rig;
    auto through = rig.Open(access, CacheMode::kWritethrough);
    CHECK(Write(*through, 0, Pattern(0, 512)).status.ok());
    const uint64_t durable = rig.Syncs();
    CHECK(durable >= 1);
    CHECK(Write(*through, 0, Pattern(0, 512), Fua::kOff).status.ok());
    CHECK(rig.Syncs() == durable);
    auto back = rig.Open(access, CacheMode::kWriteback);
    CHECK(Write(*back, 0, Pattern(0, 512)).status.ok());
    CHECK(rig.Syncs() == durable);
    CHECK(back->Flush(0).ok());
    CHECK(rig.host.calls(Call::kFdatasync) >= 1);
    const uint64_t flushed = rig.Syncs();
    CHECK(back->Flush(0).ok());  // nothing is dirty
    CHECK(rig.Syncs() == flushed);
    auto unsafe = rig.Open(access, CacheMode::kUnsafe);
    CHECK(Write(*unsafe, 0, Pattern(0, 512), Fua::kOn).status.ok());
    CHECK(unsafe->Flush(0).ok());
    CHECK(unsafe->Close(0).ok());
    CHECK(rig.Syncs() == flushed);
  }
}

TEST_CASE("a raw device cuts into pieces of 64 KiB and starts at sectors, another does neither") {
  DeviceRig rig;
  OpenOptions options;
  options.raw = true;
  auto raw = rig.Open(options);
  auto block = rig.Open();
  std::vector<uint8_t> back(200 * 1024);
  Request request = raw->BytesRequest(Operation::kRead, 512, back.data(), back.size(), Fua::kByCacheMode);
  raw->Run(request);
  CHECK(request.pieces() == 4);
  CHECK(request.moved == back.size());
  CHECK(rig.Count(Counter::kIoTotal) == 4);
  request = raw->BytesRequest(Operation::kRead, 513, back.data(), 512, Fua::kByCacheMode);
  raw->Run(request);
  CHECK(request.status.err == EINVAL);
  request = block->BytesRequest(Operation::kRead, 513, back.data(), back.size(), Fua::kByCacheMode);
  CHECK(request.position == 513);
  block->Admit(request);
  CHECK(request.pieces() == 1);
  request = raw->BufRequest(Operation::kRead, 3, back.data(), back.size(), false);
  raw->Admit(request);
  CHECK(request.pieces() == 1);  // strategy takes one piece as it comes
}

TEST_CASE("faults go into the stack and out of it, and requests admitted before keep theirs") {
  DeviceRig rig;
  auto device = rig.Open();
  FaultInjector::Settings all;
  all.rate = kBlkfailMax;
  rig.faults.Set(all);
  CHECK(Read(*device, 0, 512).size() == 512);
  CHECK(device->SetFaulty(true).ok());
  CHECK(Read(*device, 0, 512).empty());
  std::vector<uint8_t> back(512);
  Request early = device->BytesRequest(Operation::kRead, 0, back.data(), 512, Fua::kByCacheMode);
  Strategy& entry = device->Admit(early);
  CHECK(device->SetFaulty(false).ok());
  RunRequest(entry, early);
  CHECK(early.status.err == EIO);
  CHECK(Read(*device, 0, 512).size() == 512);
}

}  // namespace
}  // namespace blk
