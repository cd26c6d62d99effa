#include "core/request/physio.h"

#include <limits>
#include <vector>

#include "core/request/plan.h"
#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

constexpr size_t kChunk = 64 * 1024;

// A device that ends nowhere near. Answers bufs from a list of (moved, errno); those behind its end move all. Keeps a
// copy of each.
class Scripted final : public Strategy {
 public:
  struct Answer {
    size_t moved;
    int err;
  };
  static void Plan(Transfer& transfer) {
    DeviceRange range;
    range.size = kMaxSafeInteger;
    range.writable = true;
    PlanTransfer(transfer, range);
  }
  void Stopped(const Transfer& transfer) override { stopped_at.push_back(transfer.moved); }
  void Submit(Buf& buf) override {
    const bool told = bufs.size() < answers.size();
    const Answer answer = told ? answers[bufs.size()] : Answer{buf.bcount, 0};
    Biodone(buf, answer.moved, {answer.err, Op::kPread});
    bufs.push_back(buf);
  }
  std::vector<Answer> answers;
  std::vector<Buf> bufs;
  std::vector<size_t> stopped_at;
};

void Run(Scripted& strategy, Transfer& transfer) {
  Scripted::Plan(transfer);
  RunTransfer(strategy, transfer);
}

// A transfer into memory that nobody touches: only addresses count here.
Transfer Make(int64_t blkno, size_t length, bool raw) {
  static std::vector<uint8_t> memory(1 << 20);
  test::Must(length <= memory.size(), "memory");
  Transfer transfer;
  transfer.position = PositionOfSector(blkno);
  transfer.length = length;
  transfer.data = memory.data();
  transfer.raw = raw;
  return transfer;
}

TEST_CASE("a transfer that is not raw is one buf, whatever its length") {
  Scripted strategy;
  Transfer transfer = Make(7, 1 << 20, false);
  transfer.position += 100;
  Run(strategy, transfer);
  REQUIRE(strategy.bufs.size() == 1);
  CHECK(strategy.bufs[0].position == 7 * 512 + 100);
  CHECK(strategy.bufs[0].bcount == 1 << 20);
  CHECK(strategy.bufs[0].data == transfer.data);
  CHECK(transfer.moved == 1 << 20);
  CHECK(transfer.status.ok());
}

TEST_CASE("a raw transfer is a buf per 64 KiB, in order, and the rest") {
  Scripted strategy;
  Transfer transfer = Make(3, 2 * kChunk + 1000, true);
  Run(strategy, transfer);
  REQUIRE(strategy.bufs.size() == 3);
  for (size_t i = 0; i < 3; i++) {
    CHECK(strategy.bufs[i].position == (3 + i * 128) * 512);
    CHECK(strategy.bufs[i].data == transfer.data + i * kChunk);
    CHECK(strategy.bufs[i].bcount == (i < 2 ? kChunk : 1000));
  }
  CHECK(transfer.moved == 2 * kChunk + 1000);
}

TEST_CASE("the number of bufs at the edges of a chunk") {
  for (const auto& [length, chunks] :
       {std::pair<size_t, size_t>{1, 1}, {kChunk, 1}, {kChunk + 1, 2}, {2 * kChunk, 2}}) {
    Scripted strategy;
    Transfer transfer = Make(0, length, true);
    Run(strategy, transfer);
    CHECK(transfer.pieces() == chunks);
    CHECK(strategy.bufs.size() == chunks);
    CHECK(transfer.moved == length);
  }
}

TEST_CASE("a raw transfer that starts inside a sector is EINVAL and makes no buf") {
  Scripted strategy;
  Transfer transfer = Make(9, 512, true);
  transfer.position += 1;
  Run(strategy, transfer);
  CHECK(transfer.status.err == EINVAL);
  CHECK(transfer.status.op == Op::kStrategy);
  CHECK(transfer.failed_blkno == 9);
  CHECK(transfer.moved == 0);
  CHECK(strategy.bufs.empty());
}

TEST_CASE("a transfer of length 0 makes no buf and succeeds, wherever it points") {
  for (const bool raw : {false, true}) {
    Scripted strategy;
    Transfer transfer = Make(1 << 30, 0, raw);
    Run(strategy, transfer);
    CHECK(strategy.bufs.empty());
    CHECK(transfer.status.ok());
    CHECK(transfer.moved == 0);
  }
}

TEST_CASE("the first failure ends it, and names its block, its bytes and its errno") {
  Scripted strategy;
  strategy.answers = {{kChunk, 0}, {512, EIO}};
  Transfer transfer = Make(0, 4 * kChunk, true);
  Run(strategy, transfer);
  CHECK(strategy.bufs.size() == 2);
  CHECK(transfer.moved == kChunk + 512);
  CHECK(transfer.status.err == EIO);
  CHECK(transfer.status.op == Op::kPread);
  CHECK(transfer.failed_blkno == 128);
  CHECK_FALSE(transfer.injected);
}

TEST_CASE("a short buf is the end of the device: no error, and nothing after it") {
  Scripted strategy;
  strategy.answers = {{kChunk, 0}, {512, 0}};
  Transfer transfer = Make(0, 4 * kChunk, true);
  Run(strategy, transfer);
  CHECK(strategy.bufs.size() == 2);
  CHECK(transfer.moved == kChunk + 512);
  CHECK(transfer.status.ok());
  CHECK_FALSE(transfer.injected);
}

TEST_CASE("a block number at the end of 64 bits makes no buf and no overflow") {
  for (const bool raw : {false, true}) {
    Scripted strategy;
    Transfer transfer = Make(std::numeric_limits<int64_t>::max(), 4 * kChunk, raw);
    Run(strategy, transfer);
    CHECK(strategy.bufs.empty());
    CHECK(transfer.status.err == EINVAL);
    CHECK(transfer.failed_blkno == std::numeric_limits<int64_t>::max() / 512);
  }
}

TEST_CASE("a transfer ends where its plan stops it, and whoever stopped it hears of that then") {
  Scripted strategy;
  Transfer transfer = Make(0, 3 * kChunk, true);
  Scripted::Plan(transfer);
  transfer.plan.StopAt(kChunk, {{EIO, Op::kStrategy}, &strategy});
  CHECK(transfer.moves());
  CHECK(strategy.stopped_at.empty());
  RunTransfer(strategy, transfer);
  CHECK(strategy.bufs.size() == 1);
  CHECK(strategy.stopped_at == std::vector<size_t>{kChunk});
  CHECK(transfer.moved == kChunk);
  CHECK(transfer.status.err == EIO);
  CHECK(transfer.injected);
  CHECK(transfer.failed_blkno == 128);

  // Of one that fails before, nobody hears.
  strategy.answers = {{0, 0}, {100, ENOSPC}};
  transfer.moved = 0;
  RunTransfer(strategy, transfer);
  CHECK(strategy.stopped_at.size() == 1);
  CHECK(transfer.moved == 100);
  CHECK(transfer.status.err == ENOSPC);
}

TEST_CASE("every buf carries what the call asked for") {
  Scripted strategy;
  std::atomic<bool> cancel{false};
  Transfer transfer = Make(0, 3 * kChunk, true);
  transfer.op = BufOp::kWrite;
  transfer.deferred = true;
  transfer.durable = true;
  transfer.lane = 7;
  transfer.cancel = &cancel;
  Run(strategy, transfer);
  REQUIRE(strategy.bufs.size() == 3);
  for (size_t i = 0; i < 3; i++) {
    const Buf& buf = strategy.bufs[i];
    CHECK(buf.op == BufOp::kWrite);
    CHECK(buf.deferred);
    CHECK(buf.durable);
    CHECK(buf.lane == 7);
    CHECK(buf.cancel == &cancel);
    CHECK_FALSE(buf.nowait);
  }
  Transfer hasty = Make(0, 512, false);
  hasty.nowait = true;
  Run(strategy, hasty);
  CHECK(strategy.bufs.back().nowait);
}

TEST_CASE("issue 13: parts of a transfer make one buf of it to who counts, each on memory of its own") {
  Scripted strategy;
  Transfer transfer = Make(7, 3 * kChunk + 10, false);
  transfer.position += 100;
  transfer.durable = true;
  std::vector<uint8_t> memory(2 * kChunk);
  Scripted::Plan(transfer);
  CHECK(RunPart(strategy, transfer, memory.data(), 2 * kChunk));
  CHECK(transfer.moved == 2 * kChunk);
  CHECK(RunPart(strategy, transfer, memory.data(), kChunk));
  CHECK(!RunPart(strategy, transfer, memory.data(), 10));
  REQUIRE(strategy.bufs.size() == 3);
  const uint64_t sectors[] = {7, 7 + 256, 7 + 384};
  for (size_t i = 0; i < 3; i++) {
    CHECK(strategy.bufs[i].position == sectors[i] * 512 + 100);
    CHECK(strategy.bufs[i].data == memory.data());
    CHECK(strategy.bufs[i].durable);
    CHECK(strategy.bufs[i].first == (i == 0));
    CHECK(strategy.bufs[i].last == (i == 2));
  }
  CHECK(transfer.moved == 3 * kChunk + 10);
}

TEST_CASE("issue 13: a part of a raw transfer is whole bufs, and the one that is stopped ends it") {
  Scripted strategy;
  Transfer transfer = Make(0, 4 * kChunk, true);
  std::vector<uint8_t> memory(2 * kChunk);
  Scripted::Plan(transfer);
  transfer.plan.StopAt(3 * kChunk, {{EIO, Op::kStrategy}, &strategy});
  CHECK(RunPart(strategy, transfer, memory.data(), 2 * kChunk));
  CHECK(!RunPart(strategy, transfer, memory.data(), 2 * kChunk));
  REQUIRE(strategy.bufs.size() == 3);
  for (size_t i = 0; i < 3; i++) {
    CHECK(strategy.bufs[i].first);
    CHECK(strategy.bufs[i].last);
    CHECK(strategy.bufs[i].data == memory.data() + i % 2 * kChunk);
  }
  CHECK(strategy.stopped_at == std::vector<size_t>{3 * kChunk});
  CHECK(transfer.moved == 3 * kChunk);
  CHECK(transfer.failed_blkno == 3 * 128);
  CHECK(transfer.status.err == EIO);
}

TEST_CASE("issue 13: a part that fails or comes short ends the transfer, and names its first sector") {
  for (const Scripted::Answer& answer : {Scripted::Answer{100, ENOSPC}, Scripted::Answer{100, 0}}) {
    Scripted strategy;
    Transfer transfer = Make(7, 3 * kChunk, false);
    strategy.answers = {{kChunk, 0}, answer};
    Scripted::Plan(transfer);
    CHECK(RunPart(strategy, transfer, transfer.data, kChunk));
    CHECK(!RunPart(strategy, transfer, transfer.data, kChunk));
    CHECK(transfer.moved == kChunk + 100);
    CHECK(transfer.status.err == answer.err);
    CHECK(transfer.failed_blkno == 7);
  }
}

}  // namespace
}  // namespace blk
