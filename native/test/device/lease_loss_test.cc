// B34: what a lease loses when the host cannot give its pages: who says so, when, why, and where.

#include <cstring>

#include "core/device/lease.h"
#include "test/support/check.h"
#include "test/support/lease_rig.h"

namespace blk {
namespace {

using test::Call;
using test::kMiB;
using test::LeaseRig;
using test::Pattern;
using test::Write;

TEST_CASE("B34: a lease of pages that were cut off says EIO at its release, and so do later flushes") {
  LeaseRig rig;
  auto lease = rig.device->Map(2 * kMiB, 100).Take();
  rig.file.Truncate(kMiB);
  lease->data()[0] = 1;
  rig.file.Truncate(8 * kMiB);  // a size check alone would not see it
  CHECK(lease->Release().err == EIO);
  ByteSpan lost;
  CHECK(rig.device->Flush(0, &lost).err == EIO);
  CHECK(lost.begin == 2 * kMiB);
  CHECK(lost.end == 2 * kMiB + 100);
  CHECK(rig.device->Close(0, &lost).err == EIO);  // sticks
  CHECK(lost.empty());                            // told

  LeaseRig reader(OpenMode::kRead);
  auto copy = reader.device->Map(2 * kMiB, 100).Take();
  reader.file.Truncate(kMiB);
  CHECK(copy->data()[0] == 0);
  CHECK(copy->Release().err == EIO);
  CHECK(reader.host.calls(Call::kAllocate) == 0);
}

TEST_CASE("B34: a flush while the lease is held reports what it has lost, at once and with the range") {
  for (const Access access : {Access::kMmap, Access::kAuto}) {
    LeaseRig rig(OpenMode::kReadWrite, access);
    auto lease = rig.device->Map(2 * kMiB - 512, 5 * 4096).Take();  // page-aligned in the file
    auto sound = rig.device->Map(2 * kMiB - 512 + 8 * 4096, 4096).Take();
    lease->data()[0] = 1;
    CHECK(rig.device->Flush(0).ok());
    rig.file.Truncate(kMiB);
    lease->data()[2 * 4096 + 5] = 1;
    rig.file.Truncate(8 * kMiB);
    ByteSpan lost;
    const Status status = rig.device->Flush(0, &lost);
    CHECK(status.err == EIO);
    CHECK(status.op == Op::kMap);
    CHECK(lost.begin == 2 * kMiB - 512 + 2 * 4096);
    CHECK(lost.end == 2 * kMiB - 512 + 3 * 4096);
    CHECK(rig.device->Flush(0, &lost).err == EIO);
    CHECK(lost.empty());
    CHECK(sound->Release().ok());  // what happened elsewhere in the window is not its loss
    CHECK(lease->Release().err == EIO);
    CHECK(lease->Lost().begin.value == 2 * kMiB + 2 * 4096);
    CHECK(rig.device->Flush(0, &lost).err == EIO);
    CHECK(lost.empty());
    CHECK(rig.device->Close(0, &lost).err == EIO);
    CHECK(lost.empty());
  }
}

// A store that the host refuses is played by cutting the file off around it: by then the page can be read again.
void LoseStore(LeaseRig& rig, Lease& lease) {
  rig.file.Truncate(kMiB);
  lease.data()[0] = 1;
  rig.file.Truncate(8 * kMiB);
}

TEST_CASE(
    "B34: a loss is ENOSPC where the page can be read and has no room, and EIO where it cannot, whatever reading "
    "says") {
  struct Case {
    Call call;
    int err;
    int expected;
  };
  for (const Case& c : {Case{Call::kAllocate, ENOSPC, ENOSPC}, Case{Call::kAllocate, EDQUOT, ENOSPC},
                        Case{Call::kAllocate, EOPNOTSUPP, EIO}, Case{Call::kPread, EIO, EIO},
                        Case{Call::kPread, ENOMEM, EIO}, Case{Call::kPread, EAGAIN, EIO},
                        Case{Call::kPread, ENOSYS, EIO}, Case{Call::kPread, EINTR, EIO}, Case{Call::kStat, EIO, EIO}}) {
    INFO(test::CallName(c.call) << " " << c.err);
    for (const bool by_flush : {true, false}) {
      LeaseRig rig;
      auto lease = rig.device->Map(2 * kMiB, 100).Take();
      LoseStore(rig, *lease);
      rig.host.FailAlways(c.call, c.err);
      if (!by_flush) CHECK(lease->Release().err == c.expected);
      CHECK(rig.device->Flush(0).err == c.expected);
      rig.host.Heal();
      CHECK(lease->Release().err == (by_flush ? EIO : 0));  // asked again, the host has no complaint left
      CHECK(Write(*rig.device, 0, Pattern(0, 512), Fua::kOn).status.err == c.expected);
      CHECK(rig.device->Close(0).err == c.expected);
    }
  }
}

TEST_CASE("B34: a lease of a window that lost a page before gets pages of the file's own") {
  for (const Access access : {Access::kMmap, Access::kAuto}) {
    LeaseRig rig(OpenMode::kReadWrite, access);
    auto lost = rig.device->Map(2 * kMiB, 100).Take();
    LoseStore(rig, *lost);
    rig.file.Fill();
    const size_t mapped = rig.host.mappings();
    auto fresh = rig.device->Map(2 * kMiB, 100).Take();
    CHECK(rig.host.mappings() == mapped + 1);
    CHECK(std::memcmp(fresh->data(), Pattern(2 * kMiB + 512, 100).data(), 100) == 0);
    CHECK(fresh->Release().ok());
    CHECK(rig.host.mappings() == mapped);
    CHECK(lost->Release().err == EIO);
  }
}

TEST_CASE("B34: a lease that is dropped with a loss is an EIO of the next flush") {
  LeaseRig rig;
  {
    auto lease = rig.device->Map(2 * kMiB, 100).Take();
    LoseStore(rig, *lease);
  }
  ByteSpan lost;
  CHECK(rig.device->Close(0, &lost).err == EIO);
  CHECK(lost.begin == 2 * kMiB);
}

}  // namespace
}  // namespace blk
