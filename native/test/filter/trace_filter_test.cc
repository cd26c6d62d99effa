// RequestTrace under many writers and one reader; TraceFilter at a device that is switched while requests run.
#include "core/filter/trace_filter.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "test/support/check.h"
#include "test/support/no_javascript.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Disks;
using test::ForEachDisk;
using test::kThreads;
using test::Make;

TEST_CASE("trace: each record is read once, whole, while many are added, and room that is freed is used again") {
  constexpr uint64_t kEach = 20000;
  RequestTrace trace(5000, 0);
  std::vector<std::thread> writers;
  for (uint64_t t = 0; t < 4; t++) {
    writers.emplace_back([&, t] {
      for (uint64_t i = 0; i < kEach; i++) {
        TraceRecord record;
        record.length = t * kEach + i;
        record.moved = ~record.length;
        trace.Add(record);
      }
    });
  }
  std::vector<bool> seen(4 * kEach);
  uint64_t from = 0;
  std::array<TraceRecord, 100> records;
  const auto read = [&] {
    const size_t count = trace.Read(from, records);
    for (size_t i = 0; i < count; i++) {
      REQUIRE(records[i].moved == ~records[i].length);
      REQUIRE(!seen[records[i].length]);
      seen[records[i].length] = true;
    }
    from += count;
    trace.Free(from);
    return count;
  };
  while (trace.count() + trace.dropped() < 4 * kEach) read();
  for (std::thread& writer : writers) writer.join();
  while (read() > 0) continue;
  CHECK(from == trace.count());
  CHECK(trace.count() + trace.dropped() == 4 * kEach);
  CHECK(static_cast<uint64_t>(std::count(seen.begin(), seen.end(), true)) == from);
}

TEST_CASE("trace: what finds no room is dropped, and counted") {
  RequestTrace trace(3, 0);
  for (uint64_t i = 0; i < 5; i++) {
    TraceRecord record;
    record.length = i;
    trace.Add(record);
  }
  CHECK(trace.count() == 3);
  CHECK(trace.dropped() == 2);
  trace.Free(2);
  trace.Add({});
  CHECK(trace.count() == 4);
  std::array<TraceRecord, 4> records;
  CHECK(trace.Read(2, records) == 2);
  CHECK(records[0].length == 2);
}

TEST_CASE("trace: requests while it is switched are traced or not, and none twice") {
  ForEachDisk([](const Disks& make) {
    Driver driver({});
    const int minor = driver.Register(make(), {}).value();
    auto device = driver.Open(minor, {}).Take();
    REQUIRE(driver.Measure(*device).ok());
    std::atomic<bool> over{false};
    std::atomic<uint64_t> made{0};
    std::vector<std::thread> readers;
    for (int t = 0; t < 3; t++) {
      readers.emplace_back([&] {
        std::vector<uint8_t> bytes(512);
        while (!over) {
          const auto call = device->calls().Enter();
          Request request = Make(*device, Operation::kRead, 0, bytes, kSharedLane);
          device->Run(request);
          made++;
        }
      });
    }
    uint64_t traced = 0;
    for (int round = 0; round < 50; round++) {
      auto trace = std::make_shared<RequestTrace>(1 << 16, TraceClock());
      REQUIRE(driver.Trace(*device, trace, 7).ok());
      CHECK(driver.Trace(*device, trace, 0).err == EBUSY);
      while (trace->count() == 0) std::this_thread::yield();
      driver.EndTrace(*device, *trace);
      std::array<TraceRecord, 16> records;
      const size_t count = trace->Read(0, records);
      for (size_t i = 0; i < count; i++) {
        CHECK(records[i].device == 7);
        CHECK(records[i].number < records[i].done);
        CHECK(records[i].moved == 512);
      }
      traced += trace->count();
    }
    over = true;
    for (std::thread& reader : readers) reader.join();
    uint64_t measured = 0;
    for (size_t bucket = 0; bucket < Histogram::kBuckets; bucket++) {
      measured += device->tracer().latency(0).latency.count(bucket);
    }
    CHECK(traced > 0);
    CHECK(measured <= made);
    CHECK(measured + 3 >= made);
  });
}

}  // namespace
}  // namespace blk
