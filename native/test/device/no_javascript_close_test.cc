// A driver without JavaScript that is closed, or goes, while eight threads call: each call is answered or EBADF, and
// nothing that was answered is lost.
#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <thread>
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

// What a sector holds behind the write of this number; 0: no write.
std::vector<uint8_t> SectorOf(uint64_t number) {
  return number == 0 ? std::vector<uint8_t>(kDevBsize) : Pattern(0, kDevBsize, number);
}

TEST_CASE("a close in the midst of calls: each is answered or EBADF, and what was answered is on the disk") {
  test::Watchdog watchdog("close in the midst");
  ForEachDisk([](const Disks& disks) {
    // One sector is one thread's: the number that it was answered last is what must lie there.
    std::vector<std::atomic<uint64_t>> last(kThreads);
    for (int round = 0; round < 12; round++) {
      INFO("round " << round);
      std::atomic<uint64_t> wrong{0}, refused{0}, right{0};
      DriverOptions options;
      options.workers = 2;
      Driver driver(options);
      {
        Server server(driver);
        Answers answers;
        REQUIRE(driver.Register(disks(), Whole()).ok());
        const auto client = std::make_shared<Client>(driver.Open(0, OptionsOf(static_cast<size_t>(round))).Take());
        RunTogether(kThreads + 2, [&](size_t index) {
          if (index >= kThreads) {  // two of them, to close at once
            while (right < 4 * kThreads) std::this_thread::yield();
            wrong += !client->device->Close().ok();
            wrong += !client->device->closed();
            return;
          }
          for (uint64_t number = last[index] + 1;; number++) {
            auto call = client->device->calls().Enter();
            if (!call.ok()) {
              wrong += call.status().err != EBADF;
              refused++;
              return;
            }
            const uint64_t position = index * kDevBsize;
            if (index % 2 == 0) {
              std::vector<uint8_t> bytes = SectorOf(number);
              Request write = Make(*client->device, Operation::kWrite, position, bytes, kSharedLane);
              client->device->Run(write);
              answers.Add(write);
              if (!write.status.ok()) return void(wrong++);
              last[index] = number;
              right++;
              continue;
            }
            // Queued, one at a time.
            test::Gate answered;
            auto task = std::make_unique<Queued>(
                server, client, call.Take(), Operation::kWrite, position, SectorOf(number),
                [&](bool ok) {
                  if (ok) last[index] = number;
                  (ok ? right : wrong)++;
                  answered.Open();
                },
                answers);
            if (server.Put(client->flow, std::move(task)) != Intake::Outcome::kTaken) return void(wrong++);
            answered.Wait();
            wrong += last[index] != number;
          }
        });
        CHECK(wrong == 0);
        CHECK(refused == kThreads);
        CHECK(client->device->calls().count() == 0);
        answers.CheckCounters(driver);
        CHECK(driver.Minors()[0].open_count == 0);
      }
      CHECK(driver.Close().ok());

      Driver after({});
      auto device = after.OpenPrivate(disks(), Whole(), "", OpenOptions()).Take();
      for (size_t index = 0; index < kThreads; index++) {
        std::vector<uint8_t> back(kDevBsize);
        Request read = Make(*device, Operation::kRead, index * kDevBsize, back, kSharedLane);
        device->Run(read);
        CHECK(back == SectorOf(last[index]));
      }
    }
  });
}

TEST_CASE("a driver that is closed under eight threads: EBUSY while one is in it, then EBADF for all") {
  test::Watchdog watchdog("close of a driver in the midst");
  ForEachDisk([](const Disks& disks) {
    for (int round = 0; round < 20; round++) {
      Driver driver({});
      std::atomic<uint64_t> wrong{0}, opened{0}, refused{0};
      RunTogether(kThreads + 1, [&](size_t index) {
        if (index == kThreads) {
          while (opened < 2 * kThreads) std::this_thread::yield();
          // Bars those that come; those that have opened a device close it yet.
          driver.calls().CloseAndWait();
          Status status = driver.Close();
          for (; status.err == EBUSY; status = driver.Close()) std::this_thread::yield();
          wrong += !status.ok();
          return;
        }
        for (;;) {
          const auto minor = driver.Register(disks(), PartOf(index));
          auto device = minor.ok() ? driver.Open(minor.value(), OptionsOf(index)) : minor.status();
          if (!device.ok()) {
            wrong += device.status().err != EBADF;
            refused++;
            return;
          }
          opened++;
          Answers unused;
          wrong += !WriteAndRead(*device.value(), 0, 4096, opened, kSharedLane, unused);
          wrong += !device.value()->Close().ok();
          const Status gone = driver.Deregister(minor.value());
          wrong += !gone.ok() && gone.err != EBADF;
        }
      });
      CHECK(wrong == 0);
      CHECK(refused == kThreads);
      CHECK(driver.Minors().empty());
      CHECK(driver.Register(disks(), Whole()).status().err == EBADF);
    }
  });
}

TEST_CASE("a driver that goes before its devices drops what is queued, and leaves the devices to their threads") {
  test::Watchdog watchdog("the driver goes first");
  ForEachDisk([](const Disks& disks) {
    DriverOptions options;
    options.workers = 1;
    options.request_memory = 4096;
    std::vector<std::shared_ptr<Device>> devices;
    std::atomic<int> run{0};
    Answers answers;
    {
      Driver driver(options);
      for (size_t i = 0; i < kThreads; i++) {
        devices.push_back(driver.OpenPrivate(disks(), PartOf(i), "", OptionsOf(i)).Take());
      }
      Server server(driver);
      test::Gate gate;
      const auto client = std::make_shared<Client>(devices[0]);
      const auto put = [&](std::function<void(bool)> done) {
        auto task = std::make_unique<Queued>(server, client, client->device->calls().Enter().Take(), Operation::kWrite,
                                             0, SectorOf(1), std::move(done), answers);
        CHECK(server.Put(client->flow, std::move(task)) == Intake::Outcome::kTaken);
      };
      // The first one holds the worker; of the others as many are queued as there is memory for.
      put([&](bool) {
        run++;
        gate.Wait();
      });
      gate.AwaitArrivals(1);
      for (int i = 0; i < 20; i++) put([&](bool) { run++; });
      CHECK(client->device->calls().count() == 20);
      std::thread opener([&] { gate.Open(); });
      driver.StopQueue();
      opener.join();
    }
    // Those that were queued, and those that waited in the intake.
    CHECK(devices[0]->calls().count() == 0);
    RunTogether(kThreads, [&](size_t index) {
      CHECK(WriteAndRead(*devices[index], 0, 4096, 9, kSharedLane, answers));
      CHECK(devices[index]->Flush(kSharedLane).ok());
      CHECK(devices[index]->Close().ok());
      devices[index].reset();
    });
    CHECK(run >= 1);
  });
}

}  // namespace
}  // namespace blk
