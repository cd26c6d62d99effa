// TrackedChanges: a copy that follows the marks is the disk, whoever writes while they are taken.
#include "core/device/tracked_changes.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "core/medium/late_medium.h"
#include "test/support/check.h"
#include "test/support/no_javascript.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Disks;
using test::ForEachDisk;
using test::kDisk;
using test::kPart;
using test::kThreads;
using test::Make;
using test::OptionsOf;

constexpr uint64_t kBlock = 4096;
// Under it only the host moves bytes that a writer and a reader want at once: in one process that is a race, and meant.
#ifdef __SANITIZE_THREAD__
constexpr bool kByHostAlone = true;
#else
constexpr bool kByHostAlone = false;
#endif

std::vector<uint8_t> BytesOf(Device& device) {
  std::vector<uint8_t> bytes(static_cast<size_t>(device.minor().size()));
  Request request = Make(device, Operation::kRead, 0, bytes, kSharedLane);
  device.Run(request);
  REQUIRE(request.moved == bytes.size());
  return bytes;
}

// Brings `copy` up to what the device holds, by the marks alone.
void Follow(Device& device, const TrackedChanges& changes, std::vector<uint8_t>& copy) {
  for (ByteSpan run = changes.NextRun(0); !run.empty(); run = changes.NextRun(run.end)) {
    std::vector<uint8_t> bytes(static_cast<size_t>(run.end - run.begin));
    Request request = Make(device, Operation::kRead, run.begin, bytes, kSharedLane);
    device.Run(request);
    REQUIRE(request.moved == bytes.size());
    std::copy(bytes.begin(), bytes.end(), copy.begin() + static_cast<ptrdiff_t>(run.begin));
  }
}

void WriteAt(Device& device, uint64_t position, size_t size, uint8_t value) {
  std::vector<uint8_t> bytes(size, value);
  Request request = Make(device, Operation::kWrite, position, bytes, kSharedLane);
  device.Run(request);
  REQUIRE(request.status.ok());
}

OpenOptions Writes(Access access = Access::kPio) {
  OpenOptions options;
  options.mode = OpenMode::kReadWrite;
  options.access = access;
  return options;
}

TEST_CASE("track: blocks that were written, zeroed or discarded are marked, and no others") {
  ForEachDisk([](const Disks& make) {
    Driver driver({});
    const int minor = driver.Register(make(), {}).value();
    auto device = driver.Open(minor, Writes()).Take();
    WriteAt(*device, 0, 512, 1);
    const auto changes = driver.Track(*device, kBlock);
    CHECK(changes->bytes() == 0);
    CHECK(changes->NextRun(0).empty());
    WriteAt(*device, 3 * kBlock + 511, 2, 1);
    WriteAt(*device, 9 * kBlock - 1, 2, 1);
    Request zeros = device->RangeRequest(Operation::kZero, 20 * kBlock, kBlock, Fua::kByCacheMode);
    device->Run(zeros);
    Request discard = device->RangeRequest(Operation::kDiscard, 30 * kBlock, 2 * kBlock, Fua::kByCacheMode);
    device->Run(discard);
    std::vector<ByteSpan> runs;
    for (ByteSpan run = changes->NextRun(0); !run.empty(); run = changes->NextRun(run.end)) runs.push_back(run);
    REQUIRE(runs.size() == 4);
    CHECK((runs[0].begin == 3 * kBlock && runs[0].end == 4 * kBlock));
    CHECK((runs[1].begin == 8 * kBlock && runs[1].end == 10 * kBlock));
    CHECK((runs[2].begin == 20 * kBlock && runs[2].end == 21 * kBlock));
    CHECK((runs[3].begin == 30 * kBlock && runs[3].end == 32 * kBlock));
    CHECK(changes->bytes() == 6 * kBlock);
    CHECK(changes->Take().value()->bytes() == 6 * kBlock);
    CHECK(changes->bytes() == 0);
    CHECK(device->Close().ok());
  });
}

TEST_CASE("track: every open of the disk, those that come later and its partitions count") {
  const auto store = MemoryMedium::CreateStore(kDisk, "memory", kDevBsize).Take();
  Driver driver({});
  const int minor = driver.Register(std::make_unique<MemoryMedium>(store), {}).value();
  auto first = driver.Open(minor, Writes()).Take();
  auto changes = driver.Track(*first, kBlock);
  CHECK(first->Close().ok());
  auto later = driver.Open(minor, Writes(Access::kAuto)).Take();
  WriteAt(*later, 5 * kBlock, 1, 1);
  CHECK(changes->NextRun(0).begin == 5 * kBlock);
  // Where the device does not write by a request of its own.
  CHECK(later->WriteDisk(7 * kBlock, std::vector<uint8_t>(512, 1), kSharedLane).ok());
  CHECK(changes->NextRun(6 * kBlock).begin == 7 * kBlock);
  changes.reset();
  WriteAt(*later, 0, 1, 1);
  CHECK(later->Close().ok());
}

TEST_CASE("track: all of a lease counts as changed as long as it lasts, and once more when it ends") {
  const test::TempFile file(kDisk);
  Driver driver({});
  const int minor = driver.Register(file.path(), {}).value();
  for (const Access access : {Access::kMmap, Access::kAuto}) {
    auto device = driver.Open(minor, Writes(access)).Take();
    auto before = device->Map(kBlock, kBlock).Take();
    const auto changes = driver.Track(*device, kBlock);
    CHECK(changes->bytes() == kBlock);  // what was lent before
    auto lease = device->Map(8 * kBlock, 2 * kBlock).Take();
    CHECK(changes->bytes() == 3 * kBlock);
    CHECK(changes->Take().value()->bytes() == 3 * kBlock);
    CHECK(changes->bytes() == 3 * kBlock);  // it may be stored to still
    CHECK(lease->Release().ok());
    CHECK(changes->Take().value()->bytes() == 3 * kBlock);
    CHECK(changes->bytes() == kBlock);
    CHECK(before->Release().ok());
    CHECK(changes->Clear().ok());
    CHECK(changes->bytes() == 0);
    CHECK(device->Close().ok());
  }
}

TEST_CASE("track: what is under way when it begins counts as a change of all that its open has") {
  const auto store = MemoryMedium::CreateStore(kDisk, "memory", kDevBsize).Take();
  Driver driver({});
  const int minor = driver.Register(std::make_unique<MemoryMedium>(store), {}).value();
  auto device = driver.Open(minor, Writes()).Take();
  auto call = device->calls().Enter().Take();
  std::vector<uint8_t> bytes(512, 1);
  Request admitted = Make(*device, Operation::kWrite, 0, bytes, kSharedLane);
  Strategy& entry = device->Admit(admitted);
  const auto changes = driver.Track(*device, kBlock);
  CHECK(changes->bytes() == kDisk);
  const auto taken = changes->Take().Take();
  // It runs behind the first copy and passes no filter: the first marks have it all.
  RunRequest(entry, admitted);
  call.End();
  CHECK(taken->bytes() == kDisk);
  CHECK(device->Close().ok());
}

TEST_CASE("track: merged marks come back, of any granularity, and the last block is cut") {
  const auto store = MemoryMedium::CreateStore(kDisk + 512, "memory", kDevBsize).Take();
  Driver driver({});
  const int minor = driver.Register(std::make_unique<MemoryMedium>(store), {}).value();
  auto device = driver.Open(minor, Writes()).Take();
  const auto fine = driver.Track(*device, 512);
  const auto coarse = driver.Track(*device, 65536);
  WriteAt(*device, kDisk, 512, 1);
  WriteAt(*device, 100, 1, 1);
  CHECK(fine->bytes() == 1024);
  CHECK(coarse->bytes() == 65536 + 512);
  const auto taken = fine->Take().Take();
  CHECK(fine->Merge(*taken).ok());
  CHECK(fine->bytes() == 1024);
  CHECK(fine->Merge(*coarse).ok());
  CHECK(fine->bytes() == 65536 + 512);
  CHECK(device->Close().ok());
}

TEST_CASE("track: a copy that follows what is taken is the disk, whatever eight threads write meanwhile") {
  test::Watchdog watchdog("track");
  const auto follows = [](const Disks& make) {
    Driver driver({});
    const int minor = driver.Register(make(), {}).value();
    std::vector<std::shared_ptr<Device>> devices;
    for (size_t i = 0; i < kThreads; i++)
      devices.push_back(driver.Open(minor, kByHostAlone ? Writes() : OptionsOf(i)).Take());
    const auto changes = driver.Track(*devices[0], 512);
    std::vector<uint8_t> copy = BytesOf(*devices[0]);
    std::atomic<size_t> left{kThreads};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; i++) {
      threads.emplace_back([&, i] {
        std::mt19937 random(static_cast<uint32_t>(i));
        for (int round = 0; round < 300; round++) {
          const uint64_t at = random() % (kDisk - 3000);
          WriteAt(*devices[i], at, 1 + random() % 3000, static_cast<uint8_t>(random()));
        }
        left--;
      });
    }
    while (left > 0) Follow(*devices[0], *changes->Take().value(), copy);
    for (std::thread& thread : threads) thread.join();
    Follow(*devices[0], *changes->Take().value(), copy);
    CHECK(copy == BytesOf(*devices[0]));
    CHECK(changes->bytes() == 0);
    for (auto& device : devices) CHECK(device->Close().ok());
  };
  if (kByHostAlone) {
    const test::TempFile file(kDisk);
    return follows([&] { return HostMedium::Create(PosixHostIo(), file.path()).Take(); });
  }
  ForEachDisk(follows);
  INFO("disk: late");
  const auto late = MemoryMedium::CreateStore(kDisk, "late", kDevBsize).Take();
  const auto answers = std::make_shared<LateAnswers>(std::chrono::microseconds(100), 1);
  follows([&] { return std::make_unique<LateMedium>(std::make_unique<MemoryMedium>(late), answers); });
}

}  // namespace
}  // namespace blk
