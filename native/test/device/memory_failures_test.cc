// Every allocation of every operation finds no memory, once, in turn: the operation is ENOMEM or did without, nothing
// leaks, and the same driver does all of it afterwards. The edge of this test stands for addon/edge.h.
#include "test/support/check.h"
#include "test/support/scarce_memory.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/no_memory.h"
#include "core/device/device_source.h"
#include "core/device/driver.h"
#include "core/device/ioctl.h"
#include "core/device/label_ioctl.h"
#include "core/device/table_ioctl.h"
#include "core/device/wedges.h"
#include "core/label/read_table.h"
#include "test/support/memory_source.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Plenty;
using test::Scarce;
using test::TempFile;

constexpr uint64_t kFile = uint64_t{1} << 20;
constexpr size_t kWindow = 64 * 1024;
#ifdef __SANITIZE_THREAD__
// No thread joins in for the sake of one allocation and not of another.
constexpr uint64_t kStep = 7;
#else
constexpr uint64_t kStep = 1;
#endif

size_t Descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

size_t MappingsOf(const std::string& path) {
  std::ifstream maps("/proc/self/maps");
  size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find(path) != std::string::npos;
  return count;
}

// An MBR with a slice that holds a label with one partition.
void Divide(const TempFile& file) {
  file.Fill();
  test::Medium medium(kFile / 512);
  medium.PutEntry(0, 0, 0xa9, 128, 1024);
  medium.PutLabel(129 * 512, {{256, 256, 0, 7, 0, 0}});
  file.Write(0, {medium.bytes.begin(), medium.bytes.begin() + 512});
  file.Write(129 * 512, {medium.bytes.begin() + 129 * 512, medium.bytes.begin() + 130 * 512});
}

// One run of all operations, each behind its own edge.
struct Stage {
  explicit Stage(const TempFile& host_file) : file(host_file), path(host_file.path()), driver(Small()) {}

  static DriverOptions Small() {
    DriverOptions options;
    options.minor_count = 4;
    options.window_size = {WindowSize::Kind::kBytes, kWindow};
    options.window_count = 2;  // so that requests remap
    return options;
  }

  // -> whether it went well. Nothing but ENOMEM may come of no memory.
  template <typename Step>
  bool Try(Step&& step) {
    Status status{ENOMEM, Op::kStrategy};
    static_cast<void>(HadMemory([&] { status = step(); }));
    if (status.ok()) return true;
    failed++;
    if (status.err != ENOMEM) wrong = status.err;
    return false;
  }

  void Request(Device& device, Operation op, uint64_t position, Fua fua) {
    auto request = device.BytesRequest(op, position, memory, sizeof memory, fua);
    Try([&] { return device.Run(request), request.status; });
  }

  void Use(Device& device) {
    for (int i = 0; i < 6; i++)
      Request(device, Operation::kRead, (i * 5 % 7) * kWindow / 2 % (device.minor().size() / 2), Fua::kOff);
    Try([&] { return Ioctl(device, "DIOCGDINFO", std::nullopt).status(); });
    Try([&] { return ListWedges(device.minor()).status(); });
    DeviceSource source(device, 0);
    Result<std::optional<PartitionTable>> table = Status{ENOMEM, Op::kStrategy};
    const bool read = Try([&] { return (table = ReadPartitionTable(source)).status(); });
    std::unique_ptr<Lease> lease;
    Try([&] {
      auto mapped = device.Map(kWindow, 512);
      if (mapped.ok()) lease = mapped.Take();
      return mapped.status().err == ENOTSUP ? Status::Ok() : mapped.status();
    });
    if (device.mode() == OpenMode::kReadWrite) {
      Request(device, Operation::kRead, 3 * 512, Fua::kOff);
      Request(device, Operation::kWrite, 3 * 512, Fua::kOff);
      Request(device, Operation::kWrite, 3 * 512, Fua::kOn);
      if (read && table.value()) Try([&] { return WriteTable(device, *table.value(), 0); });
      Try([&] { return device.Flush(0); });
    }
    if (lease) Try([&] { return lease->Release(); });
  }

  void OpenAndUse(int minor, Access access, OpenMode mode) {
    OpenOptions options;
    options.access = access;
    options.mode = mode;
    std::shared_ptr<Device> device;
    const bool opened = Try([&] {
      options.protect = {{100 * 1024, 101 * 1024}};
      auto result = driver.Open(minor, options);
      if (result.ok()) device = result.Take();
      return result.status();
    });
    if (!opened) return;
    Use(*device);
    Try([&] { return device->Close(0); });
    CHECK(device->closed());
  }

  // All of it, as far as it comes.
  void Run() {
    int disk = -1;
    int partition = -1;
    const auto take = [](int& into, const Result<int>& minor) {
      if (minor.ok()) into = minor.value();
      return minor.status();
    };
    Try([&] { return take(disk, driver.Register(path, {})); });
    if (disk >= 0) Try([&] { return take(partition, driver.RegisterPartition(disk, "s1a")); });
    Try([&] { return driver.Minors(), Status::Ok(); });
    for (const int minor : {disk, partition}) {
      if (minor < 0) continue;
      for (const Access access : {Access::kAuto, Access::kMmap, Access::kPio}) {
        OpenAndUse(minor, access, OpenMode::kRead);
        OpenAndUse(minor, access, OpenMode::kReadWrite);
      }
      OpenOptions reader;
      std::shared_ptr<Device> first;
      Try([&] {
        auto result = driver.Open(minor, reader);
        if (result.ok()) first = result.Take();
        return result.status();
      });
      OpenAndUse(minor, Access::kAuto, OpenMode::kReadWrite);  // the lock changes while it is held
    }
    if (partition >= 0) CHECK(driver.Deregister(partition).ok());
    if (disk >= 0) CHECK(driver.Deregister(disk).ok());
  }

  const TempFile& file;
  const std::string path;
  Driver driver;
  int failed = 0;
  int wrong = 0;
  alignas(4096) uint8_t memory[kWindow];
};

TEST_CASE("every allocation fails once, in every operation") {
  TempFile file(kFile);
  Divide(file);
  const auto content = file.Read(0, kFile);
  {
    Stage calm(file);  // what is made once for the process is made here
    calm.Run();
    REQUIRE(calm.failed == 0);
  }
  const size_t descriptors = Descriptors();
  uint64_t struck = 0;
  for (uint64_t nth = 0;; nth += kStep) {
    auto stage = std::make_unique<Stage>(file);
    bool over = false;
    {
      Scarce scarce(nth);
      stage->Run();
      over = !scarce.struck();
    }
    if (over) break;
    struck++;
    INFO("allocation " << nth);
    CHECK(stage->wrong == 0);
    stage->failed = 0;
    stage->Run();
    CHECK(stage->failed == 0);
    CHECK(stage->driver.Close().ok());
    stage.reset();
    REQUIRE(Descriptors() == descriptors);
    REQUIRE(MappingsOf(file.path()) == 0);
  }
  CHECK(struck > 300 / kStep);
  CHECK(file.Read(0, kFile) == content);
}

TEST_CASE("a driver that there is no memory for is none") {
  for (uint64_t nth = 0;; nth++) {
    Scarce scarce(nth);
    std::unique_ptr<Driver> driver;
    const bool made = HadMemory([&] { driver = std::make_unique<Driver>(Stage::Small()); });
    if (!scarce.struck()) {
      CHECK(nth > 1);
      break;
    }
    CHECK_FALSE(made);
  }
}

// A task that says when it ran.
class Ran final : public IoTask {
 public:
  explicit Ran(test::Gate& gate) : gate_(gate) {}
  void Run(std::unique_ptr<IoTask>, IoWorker&) override { gate_.Open(); }

 private:
  test::Gate& gate_;
};

TEST_CASE(
    "a worker that there is no memory for is a thread that cannot be had, a flow says so, and Stop() needs none") {
  test::Gate ran;
  test::Gate late;
  IoFlow flow;
  IoFlow other;
  // One worker: with two, a put while the first is still at work would ask for the memory of the second's thread.
  IoQueue queue(4, 1);
  std::unique_ptr<IoTask> task = std::make_unique<Ran>(ran);
  {
    Scarce scarce(0);
    CHECK(queue.TryPut(flow, task) == IoQueue::Outcome::kNoThreads);
  }
  CHECK(queue.TryPut(flow, task) == IoQueue::Outcome::kQueued);
  ran.Wait();
  task = std::make_unique<Ran>(late);
  IoQueue::Outcome outcome;
  {
    Scarce scarce(0);
    outcome = queue.TryPut(other, task);
  }
  CHECK(outcome == IoQueue::Outcome::kNoMemory);
  REQUIRE(task != nullptr);
  CHECK(queue.TryPut(other, task) == IoQueue::Outcome::kQueued);
  late.Wait();
  Scarce scarce(0);
  queue.Stop();
  CHECK_FALSE(scarce.struck());
}

}  // namespace
}  // namespace blk
