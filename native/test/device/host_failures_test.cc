// Every operation under every misbehaviour of the host: test/support/storm.h. B33: a mapping that fails is one of them.

#include "core/device/ioctl.h"
#include "test/support/check.h"
#include "test/support/io_task.h"
#include "test/support/storm.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::FakeHost;
using test::kStormWindow;
using test::RunStorm;
using test::Stage;
using test::StormBytes;
using test::StormMemory;
using test::Story;

OpenOptions Options(Access access, OpenMode mode, bool direct = false) {
  OpenOptions options;
  options.access = access;
  options.mode = mode;
  options.direct = direct;
  return options;
}

void ReadThrice(Stage& stage) {
  StormMemory bytes(2 * kStormWindow);
  for (int i = 0; i < 3; i++) {
    const bool before = stage.first.ok();
    stage.Run(stage.device->BytesRequest(Operation::kRead, 1000, bytes.data(), bytes.size(), Fua::kOff));
    if (before && stage.first.ok()) CHECK(bytes.Holds(StormBytes(1000, bytes.size())));
  }
}

// Writes the bytes that are there already: what a failure leaves of them is the pattern all the same.
void WriteTwice(Stage& stage) {
  StormMemory bytes(StormBytes(1000, 2 * kStormWindow));
  stage.Run(stage.device->BytesRequest(Operation::kWrite, 1000, bytes.data(), bytes.size(), Fua::kOff));
  stage.Note(stage.device->Flush(0));
  stage.Run(stage.device->BytesRequest(Operation::kWrite, 1000, bytes.data(), bytes.size(), Fua::kOn));
}

void Lend(Stage& stage, bool store) {
  auto mapped = stage.device->Map(2 * kStormWindow, 100);
  if (!mapped.ok()) {
    // A device that could not map its windows at open lends none: that errno is not the host's.
    if (mapped.status().err != ENOTSUP && mapped.status().err != EBUSY) stage.Note(mapped.status());
    return;
  }
  const auto lease = mapped.Take();
  if (store) {
    std::copy_n(StormBytes(2 * kStormWindow, 100).begin(), 100, lease->data());
    stage.Note(stage.device->Flush(0));  // while it is lent
  }
  stage.Note(lease->Release());
}

// Register, open, read, write, durable write, flush, map, close, deregister: as far as it comes.
Story Whole(const OpenOptions& options) {
  return [options](Stage& stage) {
    if (!stage.Register()) return;
    if (stage.Open(options)) {
      const bool writes = options.mode == OpenMode::kReadWrite;
      ReadThrice(stage);
      if (writes) WriteTwice(stage);
      if (options.access != Access::kPio && !options.direct) Lend(stage, writes);
      stage.Note(Ioctl(*stage.device, "DIOCGDINFO", std::nullopt).status());  // looks for a label on the medium
      stage.Note(Ioctl(*stage.device, "DIOCGPART", std::nullopt).status());
      CHECK(Ioctl(*stage.device, "DIOCGDEFLABEL", std::nullopt).ok());  // from memory, whatever the host does
      stage.Note(stage.device->Close(0));
    }
    stage.Note(stage.driver.Deregister(0));
  };
}

TEST_CASE("every host call misbehaves once: access auto") {
  RunStorm(Whole(Options(Access::kAuto, OpenMode::kRead)));
  RunStorm(Whole(Options(Access::kAuto, OpenMode::kReadWrite)));
}

TEST_CASE("every host call misbehaves once: access mmap") {
  RunStorm(Whole(Options(Access::kMmap, OpenMode::kRead)));
  RunStorm(Whole(Options(Access::kMmap, OpenMode::kReadWrite)));
}

TEST_CASE("every host call misbehaves once: access pio") {
  RunStorm(Whole(Options(Access::kPio, OpenMode::kRead)));
  RunStorm(Whole(Options(Access::kPio, OpenMode::kReadWrite)));
}

TEST_CASE("every host call misbehaves once: O_DIRECT") {
  RunStorm(Whole(Options(Access::kPio, OpenMode::kRead, true)));
  RunStorm(Whole(Options(Access::kPio, OpenMode::kReadWrite, true)));
}

TEST_CASE("every host call misbehaves once: a block node, claimed") {
  const auto node = [](FakeHost& host) {
    FakeHost::Node disguise;
    disguise.size = test::kStormFile;
    host.node = disguise;
  };
  RunStorm(Whole(Options(Access::kAuto, OpenMode::kRead)), node);
  RunStorm(Whole(Options(Access::kAuto, OpenMode::kReadWrite)), node);
}

TEST_CASE("every host call misbehaves once: two opens of a minor, a reader who becomes one of two") {
  RunStorm([](Stage& stage) {
    if (!stage.Register()) return;
    if (stage.Open(Options(Access::kPio, OpenMode::kRead))) {
      auto second = stage.driver.Open(0, Options(Access::kAuto, OpenMode::kReadWrite));
      stage.Note(second.status());
      if (second.ok()) {
        StormMemory bytes(StormBytes(0, 512));
        Request write =
            second.value()->BytesRequest(Operation::kWrite, 0, bytes.data(), bytes.size(), Fua::kByCacheMode);
        second.value()->Run(write);
        stage.Note(write.status);
        stage.Note(second.value()->Close(0));
      }
      ReadThrice(stage);
      stage.Note(stage.device->Close(0));
    }
    stage.Note(stage.driver.Deregister(0));
  });
}

// ---- batches

struct Entries {
  std::vector<uint8_t> op{1, 1, 0, 1, 2, 0}, fua{0, 0, 0, 1, 0, 0};
  std::vector<double> blkno{0, 4, 300, 100, 0, 4};
  std::vector<uint32_t> bcount{2048, 2048, 4096, 1024, 0, 2048}, offset{0, 2048, 8192, 16384, 0, 32768};
  std::vector<uint32_t> resid = std::vector<uint32_t>(6);
  std::vector<int32_t> error = std::vector<int32_t>(6);

  BatchArrays arrays() {
    return {op.data(), fua.data(), blkno.data(), bcount.data(), offset.data(), resid.data(), error.data()};
  }
};

// Merged writes, a read, a durable write, a flush and a read: each entry says for itself what became of it.
void RunBatch(Stage& stage) {
  Entries entries;
  StormMemory arena(64 * 1024);
  for (const size_t i : {0, 1, 3}) {
    const auto bytes = StormBytes(static_cast<uint64_t>(entries.blkno[i]) * 512, entries.bcount[i]);
    std::copy(bytes.begin(), bytes.end(), arena.data() + entries.offset[i]);
  }
  BatchRun run(entries.arrays(), arena.data(), arena.size(), 6, stage.device->ForBatch());
  run.Admit();
  REQUIRE(
      run.Run(false, 0, nullptr, [&](const BatchSync& what) { return stage.device->SyncBatch(run.entry(), 0, what); }));
  for (size_t i = 0; i < entries.op.size(); i++) {
    stage.Note({-entries.error[i], Op::kStrategy});
    if (entries.error[i] != 0 || entries.op[i] != 0) continue;
    const auto expected = StormBytes(static_cast<uint64_t>(entries.blkno[i]) * 512, entries.bcount[i]);
    CHECK(arena.Holds(expected, entries.offset[i]));
  }
}

TEST_CASE("every host call misbehaves once: batches") {
  for (const Access access : {Access::kAuto, Access::kMmap, Access::kPio}) {
    RunStorm([access](Stage& stage) {
      if (!stage.Keep(
              stage.driver.OpenPrivate(stage.file.path(), Stage::Range(), "", Options(access, OpenMode::kReadWrite))))
        return;
      RunBatch(stage);
      RunBatch(stage);
      stage.Note(stage.device->Close(0));
    });
  }
}

// ---- the queue

// Runs `body` on the driver's worker, and waits until it is over.
void OnWorker(Stage& stage, const std::function<void(Lane)>& body) {
  test::Counts counts;
  test::Gate over;
  IoFlow flow;
  REQUIRE(test::Put(stage.driver.queue(), flow, counts, [&](IoWorker& worker) {
            worker.WillBlock();
            body(worker.lane());
            over.Open();
          }) == IoQueue::Outcome::kQueued);
  over.Wait();
  REQUIRE(test::EventuallyTrue([&] { return counts.gone == 1; }));
}

// As a promise form does it: on this thread if that needs no disk, else on a worker.
void ReadAsync(Stage& stage) {
  StormMemory bytes(kStormWindow / 2);
  Request request = stage.device->BytesRequest(Operation::kRead, 1000, bytes.data(), bytes.size(), Fua::kByCacheMode);
  Strategy& entry = stage.device->Admit(request);
  request.nowait = true;
  RunRequest(entry, request);
  if (IsUndone(request.status)) {
    request.nowait = false;
    OnWorker(stage, [&](Lane lane) {
      request.lane = lane;
      RunRequest(entry, request);
    });
  }
  stage.Note(request.status);
  if (request.status.ok()) CHECK(bytes.Holds(StormBytes(1000, bytes.size())));
}

TEST_CASE("every host call misbehaves once: through the queue") {
  for (const Access access : {Access::kAuto, Access::kMmap, Access::kPio}) {
    RunStorm([access](Stage& stage) {
      bool open = false;
      OnWorker(stage, [&](Lane) {
        open = stage.Keep(
            stage.driver.OpenPrivate(stage.file.path(), Stage::Range(), "", Options(access, OpenMode::kReadWrite)));
      });
      if (!open) return;
      for (int i = 0; i < 3; i++) ReadAsync(stage);
      OnWorker(stage, [&](Lane) { WriteTwice(stage); });
      OnWorker(stage, [&](Lane lane) { stage.Note(stage.device->Flush(lane)); });
      OnWorker(stage, [&](Lane lane) { stage.Note(stage.device->Close(lane)); });
    });
  }
}

}  // namespace
}  // namespace blk
