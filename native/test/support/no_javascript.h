// A driver as programs use it that have threads of their own and no JavaScript: its disks, what it was asked and has
// answered, requests through its queue.
#ifndef RUMPBLK_TEST_SUPPORT_NO_JAVASCRIPT_H_
#define RUMPBLK_TEST_SUPPORT_NO_JAVASCRIPT_H_

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/device/driver.h"
#include "core/medium/host_medium.h"
#include "core/medium/memory_medium.h"
#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk::test {

inline constexpr size_t kThreads = 8;
inline constexpr uint64_t kPart = 256 * 1024;  // bytes of the disk that are one thread's
inline constexpr uint64_t kDisk = kThreads * kPart;

// Makes media of one disk, again and again.
using Disks = std::function<std::unique_ptr<Medium>()>;

// Calls `visit` with a disk that is a host file, and with one in memory.
template <typename Visit>
void ForEachDisk(Visit&& visit) {
  const TempFile file(kDisk);
  const auto store = MemoryMedium::CreateStore(kDisk, "memory", kDevBsize).Take();
  const std::vector<std::pair<std::string, Disks>> all = {
      {"file", [&] { return HostMedium::Create(PosixHostIo(), file.path()).Take(); }},
      {"memory", [&] { return std::make_unique<MemoryMedium>(store); }},
  };
  for (const auto& disk : all) {
    INFO("disk: " << disk.first);
    visit(disk.second);
  }
}

inline MediumRange PartOf(size_t index) {
  MediumRange range;
  range.offset = index * kPart;
  range.size = kPart;
  return range;
}
inline MediumRange Whole() { return {}; }

// Threads take all the ways to a disk.
inline OpenOptions OptionsOf(size_t index) {
  OpenOptions options;
  options.mode = OpenMode::kReadWrite;
  options.access = static_cast<Access>(index % 3);
  options.cache = index % 4 == 3 ? CacheMode::kWritethrough : CacheMode::kWriteback;
  return options;
}

// What threads were answered, to be compared with what was counted.
struct Answers {
  std::atomic<uint64_t> pieces{0}, read{0}, written{0};  // pieces; bytes

  void CheckCounters(Driver& driver) const {
    const Counters::Values values = driver.counters().Snapshot();
    CHECK(values[static_cast<size_t>(Counter::kIoTotal)] == pieces);
    CHECK(values[static_cast<size_t>(Counter::kBytesRead)] == read);
    CHECK(values[static_cast<size_t>(Counter::kBytesWritten)] == written);
  }
  void Add(const Request& request) {
    pieces++;
    (request.operation == Operation::kRead ? read : written) += request.moved;
  }
};

inline Request Make(Device& device, Operation op, uint64_t position, std::vector<uint8_t>& bytes, Lane lane) {
  Request request = device.BytesRequest(op, position, bytes.data(), bytes.size(), Fua::kByCacheMode);
  request.lane = lane;
  return request;
}

// Writes [position, position + size) and reads it again. -> whether it came back.
inline bool WriteAndRead(Device& device, uint64_t position, size_t size, uint64_t salt, Lane lane, Answers& answers) {
  std::vector<uint8_t> bytes = Pattern(position, size, salt);
  Request write = Make(device, Operation::kWrite, position, bytes, lane);
  device.Run(write);
  answers.Add(write);
  std::vector<uint8_t> back(size);
  Request read = Make(device, Operation::kRead, position, back, lane);
  device.Run(read);
  answers.Add(read);
  return write.status.ok() && read.status.ok() && write.moved == size && back == bytes;
}

// ---- the queue

// What a program that serves requests has around a driver: one lock around the intake, which is gone through again
// when a request has ended.
class Server {
 public:
  explicit Server(Driver& driver) : driver_(driver) {}

  Intake::Outcome Put(IntakeFlow& flow, std::unique_ptr<IntakeTask> task) {
    MutexLock lock(mu_);
    return driver_.intake().Put(flow, task);
  }
  void Refill() {
    IoTaskList ended;
    MutexLock lock(mu_);
    driver_.intake().Refill(ended);
  }
  Driver& driver() { return driver_; }

 private:
  Driver& driver_;
  Mutex mu_;
};

// A device and what its requests wait in. Each of its requests keeps it.
struct Client {
  explicit Client(std::shared_ptr<Device> of) : device(std::move(of)) {}
  const std::shared_ptr<Device> device;
  IntakeFlow flow;
};

// A request on memory of the driver: of a write, or of a read, whose bytes are compared with what they should be.
class Queued final : public IntakeTask {
 public:
  Queued(Server& server, std::shared_ptr<Client> client, CallsInFlight::Call call, Operation op, uint64_t position,
         std::vector<uint8_t> bytes, std::function<void(bool)> done, Answers& answers)
      : server_(server),
        request_memory_(server.driver().request_memory()),
        client_(std::move(client)),
        call_(std::move(call)),
        bytes_(std::move(bytes)),
        done_(std::move(done)),
        answers_(answers),
        request_(Make(*client_->device, op, position, bytes_, kSharedLane)),
        entry_(client_->device->Admit(request_)) {}
  ~Queued() override { request_memory_.Give(std::move(memory_), bytes_.size()); }

  size_t MemoryNeeded() const override { return bytes_.size(); }
  bool Prepare(AlignedBuffer memory) override {
    memory_ = std::move(memory);
    std::memcpy(memory_.data(), bytes_.data(), bytes_.size());
    return true;
  }
  void Run(std::unique_ptr<IoTask> self, IoWorker& worker) override {
    worker.MayBlock();
    request_.lane = worker.lane();
    request_.data = memory_.data();
    RunRequest(entry_, request_);
    answers_.Add(request_);
    const bool whole = request_.status.ok() && request_.moved == bytes_.size();
    const bool ok = whole && std::memcmp(memory_.data(), bytes_.data(), bytes_.size()) == 0;
    Server& server = server_;
    const auto done = std::move(done_);
    self.reset();  // its memory is back, and its call over
    server.Refill();
    done(ok);
  }

 private:
  Server& server_;  // while it runs
  RequestMemory& request_memory_;
  const std::shared_ptr<Client> client_;  // outlives call_
  CallsInFlight::Call call_;
  std::vector<uint8_t> bytes_;
  std::function<void(bool)> done_;
  Answers& answers_;
  Request request_;
  Strategy& entry_;
  AlignedBuffer memory_;
};

}  // namespace blk::test

#endif  // RUMPBLK_TEST_SUPPORT_NO_JAVASCRIPT_H_
