// A driver without JavaScript: eight threads that register, open, read, write, flush, run batches and queue requests.
// What they were answered is what is counted and what lies on the disk.
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/device/driver.h"
#include "test/support/check.h"
#include "test/support/no_javascript.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Answers;
using test::Client;
using test::Disks;
using test::ForEachDisk;
using test::kPart;
using test::kThreads;
using test::Make;
using test::OptionsOf;
using test::PartOf;
using test::Pattern;
using test::Queued;
using test::RunTogether;
using test::Server;
using test::Whole;
using test::WriteAndRead;

// A write, a flush and two reads in one go. -> whether all four went well.
bool RunBatch(Device& device, uint64_t position, uint64_t salt, Lane lane, Answers& answers) {
  constexpr uint32_t kSize = 4096;
  std::vector<uint8_t> arena(3 * kSize);
  const std::vector<uint8_t> bytes = Pattern(position, kSize, salt);
  std::memcpy(arena.data(), bytes.data(), kSize);
  const uint64_t sector = position / kDevBsize;
  const auto at = static_cast<double>(sector);
  const std::vector<uint8_t> op = {1, 2, 0, 0}, fua(4);
  const std::vector<double> blkno = {at, 0, at, at};
  const std::vector<uint32_t> bcount = {kSize, 0, kSize, kSize}, offset = {0, 0, kSize, 2 * kSize};
  std::vector<uint32_t> resid(4);
  std::vector<int32_t> error(4);
  const BatchArrays arrays{op.data(),     fua.data(),   blkno.data(), bcount.data(),
                           offset.data(), resid.data(), error.data()};
  BatchRun run(arrays, arena.data(), arena.size(), 4, device.ForBatch());
  run.Admit();
  const bool finished =
      run.Run(false, lane, nullptr, [&](const BatchSync& what) { return device.SyncBatch(run.entry(), lane, what); });
  answers.pieces += 3;
  answers.written += kSize;
  answers.read += 2 * kSize;
  return finished && run.succeeded() == 4 && std::memcmp(arena.data(), arena.data() + 2 * kSize, kSize) == 0;
}

TEST_CASE("eight threads register, open, write, read, flush and run batches; all of it is counted") {
  test::Watchdog watchdog("eight threads, each its own disk");
  ForEachDisk([](const Disks& disks) {
    Driver driver({});
    Answers answers;
    std::atomic<int> wrong{0}, flushes{0};
    RunTogether(kThreads, [&](size_t index) {
      // Some have a lane of their own; the others share one.
      std::optional<LaneLease> lease;
      if (index % 2 == 0) lease.emplace(driver.lanes());
      const Lane lane = lease ? lease->lane() : kSharedLane;
      const auto minor = driver.Register(disks(), PartOf(index));
      if (!minor.ok()) return void(wrong++);
      OpenOptions options = OptionsOf(index);
      options.cache = CacheMode::kWriteback;
      auto opened = driver.Open(minor.value(), options);
      if (!opened.ok()) return void(wrong++);
      Device& device = *opened.value();
      for (uint64_t round = 0; round < 60; round++) {
        auto call = device.calls().Enter();
        wrong += !call.ok();
        wrong += !WriteAndRead(device, round % 16 * 4096, 5000 + round, round, lane, answers);
        wrong += !device.Flush(lane).ok();
        flushes++;
        wrong += !RunBatch(device, 128 * 1024 + round % 8 * 4096, round, lane, answers);
        flushes++;
      }
      wrong += !device.Close(lane).ok();
      wrong += !driver.Deregister(minor.value()).ok();
    });
    CHECK(wrong == 0);
    answers.CheckCounters(driver);
    CHECK(driver.counters().Total(Counter::kFlushes) == static_cast<uint64_t>(flushes));
    CHECK(driver.Close().ok());
  });
}

TEST_CASE("eight threads queue requests that wait for memory and room; all are run and counted, and a close drains") {
  test::Watchdog watchdog("eight threads, one queue");
  constexpr uint64_t kEach = 120;
  ForEachDisk([](const Disks& disks) {
    DriverOptions options;
    options.workers = 3;
    options.queue_depth = 4;
    options.request_memory = 64 * 1024;
    Driver driver(options);
    Server server(driver);
    Answers answers;
    std::atomic<uint64_t> wrong{0}, right{0};
    RunTogether(kThreads, [&](size_t index) {
      auto opened = driver.OpenPrivate(disks(), PartOf(index), "", OptionsOf(index));
      if (!opened.ok()) return void(wrong++);
      const auto client = std::make_shared<Client>(opened.Take());
      for (uint64_t i = 0; i < kEach; i++) {
        // Each at a place of its own: what runs at the same time does not meet.
        const uint64_t position = i * 2048;
        auto call = client->device->calls().Enter();
        if (!call.ok()) return void(wrong++);
        auto task = std::make_unique<Queued>(
            server, client, call.Take(), Operation::kWrite, position, Pattern(position, 2048, index),
            [&](bool ok) { (ok ? right : wrong)++; }, answers);
        wrong += server.Put(client->flow, std::move(task)) != Intake::Outcome::kTaken;
      }
      // With requests queued, waiting for memory, and running: the close is behind all of them.
      wrong += !client->device->Close().ok();
      wrong += client->device->calls().count() != 0;
    });
    CHECK(wrong == 0);
    CHECK(answers.pieces == kThreads * kEach);
    CHECK(answers.written == kThreads * kEach * 2048);
    CHECK(driver.Close().ok());
    CHECK(right == kThreads * kEach);  // no task is left
    answers.CheckCounters(driver);
    CHECK(driver.request_memory().used() == 0);

    // What another driver finds there.
    Driver after({});
    auto device = after.OpenPrivate(disks(), Whole(), "", OpenOptions()).Take();
    for (size_t index = 0; index < kThreads; index++) {
      std::vector<uint8_t> back(kEach * 2048);
      Request read = Make(*device, Operation::kRead, index * kPart, back, kSharedLane);
      device->Run(read);
      CHECK(back == Pattern(0, back.size(), index));
    }
  });
}

}  // namespace
}  // namespace blk
