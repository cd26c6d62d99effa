// Requests and batches on a medium that answers later come out as on one that answers at once, with any number of them
// under way: two devices over disks of the same content are asked the same.
// Over 300 lines: all of it compares one pair of devices.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "core/device/started_batch.h"
#include "core/medium/late_medium.h"
#include "core/medium/memory_medium.h"
#include "core/request/started_request.h"
#include "test/support/batch_rig.h"
#include "test/support/check.h"

namespace blk {
namespace {

using test::Entry;
using test::kDiscard;
using test::kFlush;
using test::kKiB;
using test::kMiB;
using test::kRead;
using test::kWrite;
using test::kZero;
using test::Pattern;

constexpr uint64_t kDisk = kMiB + 512;

// A disk in memory with a content, and a device over it.
struct Side {
  Side(std::shared_ptr<LateAnswers> answers, bool raw) {
    std::unique_ptr<Medium> medium =
        std::make_unique<MemoryMedium>(MemoryMedium::CreateStore(kDisk, "memory", 512).Take());
    if (answers) medium = std::make_unique<LateMedium>(std::move(medium), std::move(answers));
    const std::vector<uint8_t> content = Pattern(0, kDisk, 1);
    OpenOptions options;
    options.mode = OpenMode::kReadWrite;
    options.raw = raw;
    minor = Minor::Create(std::move(medium), {}).Take();
    device = Device::Open(minor, options, context).Take();
    test::Write(*device, 0, content);
  }
  ~Side() { CHECK(device->Close(kSharedLane).ok()); }
  std::vector<uint8_t> Content() const { return test::Read(*device, 0, kDisk); }

  Counters counters;
  FaultInjector faults;
  DeviceContext context{counters, faults, {}, kDefaultWindowCount};
  std::shared_ptr<Minor> minor;
  std::unique_ptr<Device> device;
};

// The two of them, and what they are asked alike.
struct Pair {
  explicit Pair(bool raw = false, bool held = false)
      : answers(std::make_shared<LateAnswers>(std::chrono::microseconds(50), 5)),
        prompt(nullptr, raw),
        late(answers, raw) {
    if (held) answers->Hold();
  }
  void Faults(uint32_t rate) {
    for (Side* side : {&prompt, &late}) {
      side->faults.Set({rate, 9});
      CHECK(side->device->SetFaulty(rate > 0).ok());
    }
  }
  void CheckSame() {
    Faults(0);
    CHECK(prompt.Content() == late.Content());
    CHECK(prompt.counters.Snapshot() == late.counters.Snapshot());
  }

  std::shared_ptr<LateAnswers> answers;
  Side prompt, late;
};

// What is called at the end of something started, and who waits for that.
void SetOver(void* over) { static_cast<std::atomic<bool>*>(over)->store(true, std::memory_order_release); }
void AwaitOver(const std::atomic<bool>& over) {
  while (!over.load(std::memory_order_acquire)) std::this_thread::yield();
}

void RunStarted(Device& device, Request& request) {
  StartedRequest started;
  std::atomic<bool> over{false};
  Strategy& entry = device.Admit(request);
  started.Start(entry, request, request.data, request.length, SetOver, &over);
  AwaitOver(over);
}

TEST_CASE("started: requests of random places, lengths and faults come out as run ones") {
  for (const bool raw : {false, true}) {
    INFO("raw " << raw);
    Pair pair(raw);
    pair.Faults(1000);
    std::mt19937 random(3);
    size_t failed = 0;
    for (int round = 0; round < 400; round++) {
      const uint32_t kind = random() % 6;
      const Operation op = kind == 0   ? Operation::kDiscard
                           : kind == 1 ? Operation::kZero
                           : kind < 4  ? Operation::kRead
                                       : Operation::kWrite;
      const bool moves = MovesBytes(op);
      const Fua fua = random() % 4 == 0 ? Fua::kOn : Fua::kByCacheMode;
      const uint64_t position = random() % 5 == 0 ? kDisk - random() % 4096 + 512 : random() % kDisk / 512 * 512;
      const size_t length = random() % 4 == 0 ? random() % (300 * kKiB) : random() % 8192;
      std::vector<uint8_t> ours = Pattern(position, length, static_cast<uint64_t>(round)), theirs = ours;
      const auto make = [&](Device& device, uint8_t* data) {
        return moves ? device.BytesRequest(op, position, data, length, fua)
                     : device.RangeRequest(op, position, length, fua);
      };
      Request run = make(*pair.prompt.device, ours.data());
      pair.prompt.device->Run(run);
      Request started = make(*pair.late.device, theirs.data());
      REQUIRE(pair.late.device->starts().Has(started.operation));
      RunStarted(*pair.late.device, started);
      REQUIRE(started.status.err == run.status.err);
      REQUIRE(started.moved == run.moved);
      REQUIRE(started.injected == run.injected);
      if (!run.status.ok()) REQUIRE(started.failed_blkno == run.failed_blkno);
      REQUIRE(ours == theirs);
      failed += run.status.ok() ? 0 : 1;
    }
    CHECK(failed > 20);
    pair.CheckSame();
  }
}

// The columns of a batch, and its arena.
struct Columns {
  Columns(const std::vector<Entry>& entries, std::vector<uint8_t> memory) : arena(std::move(memory)) {
    for (const Entry& entry : entries) {
      op.push_back(entry.op);
      fua.push_back(entry.fua);
      blkno.push_back(entry.blkno);
      bcount.push_back(entry.bcount);
      offset.push_back(entry.offset);
    }
    resid.assign(entries.size(), 77);
    error.assign(entries.size(), 1);
  }
  BatchRun Make(Device& device) {
    const BatchArrays arrays{op.data(),     fua.data(),   blkno.data(), bcount.data(),
                             offset.data(), resid.data(), error.data()};
    return BatchRun(arrays, arena.data(), arena.size(), static_cast<uint32_t>(op.size()), device.ForBatch());
  }
  void Run(Device& device) {
    BatchRun run = Make(device);
    run.Admit();
    REQUIRE(run.Run(false, kSharedLane, nullptr,
                    [&](const BatchSync& what) { return device.SyncBatch(run.entry(), kSharedLane, what); }));
  }
  void RunStarted(Device& device) {
    BatchRun run = Make(device);
    run.Admit();
    REQUIRE(run.IsAllStarted());
    StartedBatch batch(device, run, nullptr);
    std::atomic<bool> over{false};
    batch.Start(SetOver, &over);
    AwaitOver(over);
  }

  std::vector<uint8_t> arena, op, fua;
  std::vector<double> blkno;
  std::vector<uint32_t> bcount, offset, resid;
  std::vector<int32_t> error;
};

TEST_CASE("started: batches whose entries overlap, on the device and in the arena, come out as if in order") {
  Pair pair;
  std::mt19937 random(11);
  for (int round = 0; round < 150; round++) {
    pair.Faults(round % 3 == 0 ? 500 : 0);
    // Few places, so that most entries meet another one; some of them wrong, empty, or across the end.
    std::vector<Entry> entries(1 + random() % 64);
    for (Entry& entry : entries) {
      const uint32_t kind = random() % 20;
      entry.op = kind == 0   ? kFlush
                 : kind == 1 ? uint8_t{9}
                 : kind < 4  ? kZero
                 : kind == 4 ? kDiscard
                 : kind % 2  ? kRead
                             : kWrite;
      entry.fua = random() % 10 == 0 ? 1 : 0;
      entry.blkno = random() % 30 == 0 ? static_cast<double>(kDisk / 512 - 3) : static_cast<double>(random() % 100);
      entry.bcount = random() % 10 == 0 ? 0 : static_cast<uint32_t>(512 * (1 + random() % 8));
      entry.offset = static_cast<uint32_t>(random() % 40 * 512);
    }
    const std::vector<uint8_t> memory = Pattern(0, 32 * kKiB, static_cast<uint64_t>(round));
    Columns prompt(entries, memory), late(entries, memory), started(entries, memory);
    prompt.Run(*pair.prompt.device);
    late.Run(*pair.late.device);
    REQUIRE(prompt.error == late.error);
    REQUIRE(prompt.resid == late.resid);
    REQUIRE(prompt.arena == late.arena);
    // The same again, without a thread that waits: what its faults draw is another thing.
    pair.Faults(0);
    Columns again(entries, memory);
    again.Run(*pair.prompt.device);
    started.RunStarted(*pair.late.device);
    REQUIRE(again.error == started.error);
    REQUIRE(again.resid == started.resid);
    REQUIRE(again.arena == started.arena);
  }
  CHECK(pair.answers->peak() > 1);
  pair.CheckSame();
}

TEST_CASE("started: a batch has all of its entries under way at once, and one after its last lets it go on") {
  Pair pair(false, true);
  std::vector<Entry> entries;
  for (uint32_t i = 0; i < 1000; i++) entries.push_back({kRead, static_cast<double>(i), 512, i * 512});
  Columns columns(entries, std::vector<uint8_t>(512 * 1000));
  BatchRun run = columns.Make(*pair.late.device);
  run.Admit();
  REQUIRE(run.IsAllStarted());
  StartedBatch batch(*pair.late.device, run, nullptr);
  std::atomic<bool> over{false};
  batch.Start(SetOver, &over);
  CHECK(pair.answers->under_way() == 1000);
  CHECK_FALSE(over);
  pair.answers->Release();
  AwaitOver(over);
  CHECK(run.succeeded() == 1000);
  CHECK(columns.arena == test::Read(*pair.prompt.device, 0, 512 * 1000));
}

TEST_CASE("started: what is called off ends, each entry with an outcome") {
  Pair pair(false, true);
  std::vector<Entry> entries;
  // The second half meets the first one, and waits.
  for (uint32_t i = 0; i < 200; i++) entries.push_back({kWrite, static_cast<double>(i % 100), 512, i * 512});
  Columns columns(entries, Pattern(0, 512 * 200, 3));
  BatchRun run = columns.Make(*pair.late.device);
  run.Admit();
  std::atomic<bool> cancel{false};
  StartedBatch batch(*pair.late.device, run, &cancel);
  std::atomic<bool> over{false};
  batch.Start(SetOver, &over);
  CHECK(pair.answers->under_way() == 100);
  cancel = true;
  pair.answers->Release();
  AwaitOver(over);
  CHECK(std::count(columns.error.begin(), columns.error.end(), -ECANCELED) == 200);
  CHECK(pair.prompt.Content() == pair.late.Content());
}

TEST_CASE("started: a discard and zeros claim their range: what meets them in a batch waits for them") {
  for (const uint8_t op : {kDiscard, kZero}) {
    INFO("op " << static_cast<int>(op));
    Pair pair(false, true);
    // A write, a range over half of it and a write over half of that; two that meet nothing.
    const std::vector<Entry> entries{
        {kWrite, 0, 4096, 0}, {op, 4, 4096, 0}, {kWrite, 8, 4096, 4096}, {kWrite, 100, 4096, 8192}, {op, 200, 4096, 0}};
    Columns columns(entries, Pattern(0, 16 * kKiB, 3)), prompt(entries, Pattern(0, 16 * kKiB, 3));
    prompt.Run(*pair.prompt.device);
    BatchRun run = columns.Make(*pair.late.device);
    run.Admit();
    REQUIRE(run.IsAllStarted());
    StartedBatch batch(*pair.late.device, run, nullptr);
    std::atomic<bool> over{false};
    batch.Start(SetOver, &over);
    // The first alone: the second has to wait for it, and whatever stands behind that with it.
    CHECK(pair.answers->under_way() == 1);
    pair.answers->Release();
    AwaitOver(over);
    CHECK(columns.error == prompt.error);
    pair.CheckSame();
  }
}

TEST_CASE("started: flushes are under way without a thread, share their syncs, and cover what was complete") {
  Pair pair(false, true);
  Device& device = *pair.late.device;
  struct One {
    Device::AdmittedFlush flush;
    StartedRequest started;
    std::atomic<bool> over{false};
  };
  std::vector<One> flushes(100);
  // Dirty by what Side() has written.
  for (One& one : flushes) {
    one.flush = device.AdmitFlush();
    REQUIRE(device.Starts(*one.flush.entry, one.flush.request, nullptr, one.flush.request.length));
    one.started.Start(*one.flush.entry, one.flush.request, nullptr, one.flush.request.length, SetOver, &one.over);
  }
  CHECK(pair.answers->under_way() == 1);
  const uint64_t before = pair.late.counters.Snapshot()[static_cast<size_t>(Counter::kFlushes)];
  pair.answers->Release();
  for (const One& one : flushes) AwaitOver(one.over);
  for (One& one : flushes) {
    CHECK(device.EndFlush(one.flush).ok());
    CHECK(one.flush.request.status.ok());
  }
  CHECK(pair.late.counters.Snapshot()[static_cast<size_t>(Counter::kFlushes)] == before + 1);
}

}  // namespace
}  // namespace blk
