// Partitions as minors: what they reach, and the descriptors, locks and errors that they share with their disk.

#include "core/device/driver.h"
#include "test/support/check.h"
#include "test/support/device_rig.h"
#include "test/support/memory_source.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::kMiB;
using test::Medium;
using test::TempFile;

// An MBR with two slices of 1 MiB, the second with a label whose partition a is 256 KiB of it.
struct PartitionRig {
  PartitionRig() : file(4 * kMiB) {
    file.Fill();
    Medium medium(8192);
    medium.PutEntry(0, 0, 0x83, 2048, 2048);
    medium.PutEntry(0, 1, 0xa9, 4096, 2048);
    medium.PutEntry(0, 2, 0x83, 8000, 2048);  // ends beyond the file
    medium.PutLabel(4097 * 512, {{512, 4608, 0, 7, 0, 0}});
    file.Write(0, {medium.bytes.begin(), medium.bytes.begin() + 512});
    file.Write(4097 * 512, {medium.bytes.begin() + 4097 * 512, medium.bytes.begin() + 4098 * 512});
    MediumRange range;
    disk = driver.Register(file.path(), range).Take();
  }
  int Partition(const char* name) { return driver.RegisterPartition(disk, name).Take(); }
  std::shared_ptr<Device> Open(int minor, OpenMode mode = OpenMode::kRead) {
    OpenOptions options;
    options.mode = mode;
    auto opened = driver.Open(minor, options);
    REQUIRE(opened.ok());
    return opened.Take();
  }

  FakeHost host;
  TempFile file;
  Driver driver{DriverOptions(), host};
  int disk = -1;
};

TEST_CASE("a partition's device is the bytes of the partition and no other") {
  PartitionRig rig;
  const int minor = rig.Partition("s2a");
  CHECK(minor == 1);
  CHECK(rig.Partition("s2a") == minor);
  auto device = rig.Open(minor, OpenMode::kReadWrite);
  CHECK(device->minor().size() == 512 * 512);
  CHECK(test::Read(*device, 0, 512) == test::Pattern(4608 * 512, 512));
  CHECK(test::Read(*device, 511 * 512, 4096).size() == 512);  // short at the end of the partition
  const std::vector<uint8_t> bytes(4096, 0xee);
  CHECK(test::Write(*device, 511 * 512, bytes).moved == 512);
  CHECK(test::Write(*device, 513 * 512, bytes).status.err == EINVAL);
  CHECK(device->Close(0).ok());
  CHECK(rig.file.Read((4608 + 512) * 512, 512) == test::Pattern((4608 + 512) * 512, 512));
  CHECK(rig.file.Read((4608 + 511) * 512, 512) == std::vector<uint8_t>(512, 0xee));
}

TEST_CASE("what is no partition, or cannot be one, is refused") {
  PartitionRig rig;
  CHECK(rig.driver.RegisterPartition(rig.disk, "s4").status().err == ENXIO);
  CHECK(rig.driver.RegisterPartition(rig.disk, "").status().err == ENXIO);
  CHECK(rig.driver.RegisterPartition(rig.disk, "s3").status().err == EINVAL);
  CHECK(rig.driver.RegisterPartition(7, "s1").status().err == ENXIO);
  CHECK(rig.driver.Deregister(rig.disk).ok());  // nothing holds it
}

TEST_CASE("a private partition is in no table, and takes its disk along when it closes") {
  PartitionRig rig;
  CHECK(rig.driver.Deregister(rig.disk).ok());
  OpenOptions options;
  options.mode = OpenMode::kReadWrite;
  CHECK(rig.driver.OpenPrivate(rig.file.path(), MediumRange(), "s4", options).status().err == ENXIO);
  CHECK(rig.driver.OpenPrivate(rig.file.path(), MediumRange(), "s3", options).status().err == EINVAL);
  CHECK(rig.host.open_descriptors() == 0);
  auto device = rig.driver.OpenPrivate(rig.file.path(), MediumRange(), "s2a", options).Take();
  CHECK(rig.driver.Minors().empty());
  CHECK(device->minor().size() == 512 * 512);
  CHECK(test::Read(*device, 0, 512) == test::Pattern(4608 * 512, 512));
  // Another process may have the slice before it.
  auto other = rig.driver.OpenPrivate(rig.file.path(), MediumRange(), "s1", options).Take();
  CHECK(rig.driver.OpenPrivate(rig.file.path(), MediumRange(), "s2", options).status().err == EBUSY);
  CHECK(device->Close(0).ok());
  CHECK(other->Close(0).ok());
  // Although the devices are still there.
  CHECK(rig.host.open_descriptors() == 0);
}

TEST_CASE("a partition of a partition goes on from its name") {
  PartitionRig rig;
  const int slice = rig.Partition("s2");
  const int minor = rig.driver.RegisterPartition(slice, "a").Take();
  CHECK(rig.Partition("s2a") == minor);
  const auto list = rig.driver.Minors();
  REQUIRE(list.size() == 3);
  CHECK(list[2].partition == "s2a");
  CHECK(list[2].disk == rig.disk);
  CHECK(list[0].partition.empty());
}

TEST_CASE("a disk cannot go while a partition of it is registered, and a closing driver knows the order") {
  PartitionRig rig;
  const int minor = rig.Partition("s1");
  CHECK(rig.driver.Deregister(rig.disk).err == EBUSY);
  CHECK(rig.driver.Deregister(minor).ok());
  CHECK(rig.driver.Deregister(rig.disk).ok());
  CHECK(rig.host.open_descriptors() == 0);
  PartitionRig closing;
  static_cast<void>(closing.Partition("s1"));
  CHECK(closing.driver.Close().ok());
  CHECK(closing.host.open_descriptors() == 0);
}

TEST_CASE("a disk and its partitions never lock each other out, and share their descriptors") {
  PartitionRig rig;
  auto disk = rig.Open(rig.disk, OpenMode::kReadWrite);
  auto one = rig.Open(rig.Partition("s1"), OpenMode::kReadWrite);
  auto two = rig.Open(rig.Partition("s2"), OpenMode::kRead);
  CHECK(rig.host.open_descriptors() == 2);
  CHECK(disk->Close(0).ok());
  CHECK(two->Close(0).ok());
  CHECK(one->Close(0).ok());
  CHECK(rig.host.open_descriptors() == 1);
}

TEST_CASE("others are locked out of exactly what is open") {
  PartitionRig rig;
  HostIo& real = PosixHostIo();
  OpenFlags flags;
  flags.write = true;
  const auto seen = [&](uint64_t sector) {
    const int fd = real.Open(rig.file.path(), flags);
    const bool exclusive = real.Lock(fd, LockKind::kExclusive, kRangeLocks + sector * 512, 512) == 0;
    const bool shared = exclusive || real.Lock(fd, LockKind::kShared, kRangeLocks + sector * 512, 512) == 0;
    static_cast<void>(real.Close(fd));
    return exclusive ? 'u' : shared ? 's' : 'x';
  };
  const auto map = [&] { return std::string{seen(0), seen(2048), seen(4095), seen(4096), seen(6143), seen(6144)}; };
  const int s1 = rig.Partition("s1"), s2 = rig.Partition("s2");
  CHECK(map() == "uuuuuu");
  auto one = rig.Open(s1, OpenMode::kReadWrite);
  auto two = rig.Open(s2);
  CHECK(map() == "uxxssu");
  auto disk = rig.Open(rig.disk);
  CHECK(map() == "sxxsss");
  auto writer = rig.Open(rig.disk, OpenMode::kReadWrite);
  CHECK(map() == "xxxxxx");
  CHECK(one->Close(0).ok());
  CHECK(map() == "xxxxxx");
  CHECK(writer->Close(0).ok());
  CHECK(map() == "ssssss");
  CHECK(disk->Close(0).ok());
  CHECK(map() == "uuussu");
  CHECK(two->Close(0).ok());
  CHECK(map() == "uuuuuu");
}

TEST_CASE("a partition that somebody else has locked is EBUSY, and its neighbours are not") {
  PartitionRig rig;
  HostIo& real = PosixHostIo();
  OpenFlags flags;
  flags.write = true;
  const int fd = real.Open(rig.file.path(), flags);
  REQUIRE(real.Lock(fd, LockKind::kExclusive, kRangeLocks + 2048 * 512, 512) == 0);
  const int s1 = rig.Partition("s1"), s2 = rig.Partition("s2");
  auto two = rig.Open(s2, OpenMode::kReadWrite);
  CHECK(rig.driver.Open(s1, OpenOptions()).status().err == EBUSY);
  CHECK(rig.driver.Open(rig.disk, OpenOptions()).status().err == EBUSY);
  static_cast<void>(real.Close(fd));
  auto one = rig.Open(s1);
  auto disk = rig.Open(rig.disk);
  CHECK(one->Close(0).ok());
  CHECK(disk->Close(0).ok());
  CHECK(two->Close(0).ok());
}

TEST_CASE("a failed sync is told to every partition of the disk, for the host tells it once") {
  PartitionRig rig;
  auto one = rig.Open(rig.Partition("s1"), OpenMode::kReadWrite);
  auto two = rig.Open(rig.Partition("s2"), OpenMode::kReadWrite);
  const std::vector<uint8_t> bytes(512, 1);
  CHECK(test::Write(*one, 0, bytes).status.ok());
  CHECK(test::Write(*two, 0, bytes).status.ok());
  rig.host.Fail(Call::kFdatasync, EIO);
  CHECK(one->Flush(0).err == EIO);
  CHECK(two->Flush(0).err == EIO);
  CHECK(one->Close(0).err == EIO);
  CHECK(two->Close(0).err == EIO);
  auto again = rig.Open(rig.Partition("s1"), OpenMode::kReadWrite);
  CHECK(again->Flush(0).ok());
  CHECK(again->Close(0).ok());
}

}  // namespace
}  // namespace blk
