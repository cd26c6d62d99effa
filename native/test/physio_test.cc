#include "core/request/physio.h"

#include <limits>
#include <vector>

#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

constexpr size_t kChunk = 64 * 1024;

// Answers bufs from a list of (moved, errno); those behind its end move all. Keeps a copy of each.
class Scripted final : public Strategy {
 public:
  struct Answer {
    size_t moved;
    int err;
  };
  void Submit(Buf& buf) override {
    const bool told = bufs.size() < answers.size();
    const Answer answer = told ? answers[bufs.size()] : Answer{buf.bcount, 0};
    Biodone(buf, answer.moved, {answer.err, Op::kPread});
    buf.injected = answer.err == EIO;
    bufs.push_back(buf);
  }
  std::vector<Answer> answers;
  std::vector<Buf> bufs;
};

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
  RunTransfer(strategy, transfer);
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
  RunTransfer(strategy, transfer);
  REQUIRE(strategy.bufs.size() == 3);
  for (size_t i = 0; i < 3; i++) {
    CHECK(strategy.bufs[i].position == static_cast<int64_t>((3 + i * 128) * 512));
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
    CHECK(transfer.chunk_count() == chunks);
    RunTransfer(strategy, transfer);
    CHECK(strategy.bufs.size() == chunks);
    CHECK(transfer.moved == length);
  }
}

TEST_CASE("a raw transfer that starts inside a sector is EINVAL and makes no buf") {
  Scripted strategy;
  Transfer transfer = Make(9, 512, true);
  transfer.position += 1;
  RunTransfer(strategy, transfer);
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
    RunTransfer(strategy, transfer);
    CHECK(strategy.bufs.empty());
    CHECK(transfer.status.ok());
    CHECK(transfer.moved == 0);
  }
}

TEST_CASE("the first failure ends it, and names its block, its bytes and its errno") {
  Scripted strategy;
  strategy.answers = {{kChunk, 0}, {512, EIO}};
  Transfer transfer = Make(0, 4 * kChunk, true);
  RunTransfer(strategy, transfer);
  CHECK(strategy.bufs.size() == 2);
  CHECK(transfer.moved == kChunk + 512);
  CHECK(transfer.status.err == EIO);
  CHECK(transfer.status.op == Op::kPread);
  CHECK(transfer.failed_blkno == 128);
  CHECK(transfer.injected);
}

TEST_CASE("a short buf is the end of the device: no error, and nothing after it") {
  Scripted strategy;
  strategy.answers = {{kChunk, 0}, {512, 0}};
  Transfer transfer = Make(0, 4 * kChunk, true);
  RunTransfer(strategy, transfer);
  CHECK(strategy.bufs.size() == 2);
  CHECK(transfer.moved == kChunk + 512);
  CHECK(transfer.status.ok());
  CHECK_FALSE(transfer.injected);
}

TEST_CASE("a block number at the end of 64 bits makes one buf and no overflow") {
  Scripted strategy;
  strategy.answers = {{0, EINVAL}};
  Transfer transfer = Make(std::numeric_limits<int64_t>::max(), 4 * kChunk, true);
  RunTransfer(strategy, transfer);
  CHECK(strategy.bufs.size() == 1);
  CHECK(transfer.status.err == EINVAL);
  CHECK(transfer.failed_blkno == std::numeric_limits<int64_t>::max() / 512);
}

TEST_CASE("every buf carries what the call asked for, and the doomed one its mark") {
  Scripted strategy;
  std::atomic<bool> cancel{false};
  Transfer transfer = Make(0, 3 * kChunk, true);
  transfer.op = BufOp::kWrite;
  transfer.deferred = true;
  transfer.durable = true;
  transfer.lane = 7;
  transfer.cancel = &cancel;
  transfer.doomed_chunk = 1;
  RunTransfer(strategy, transfer);
  REQUIRE(strategy.bufs.size() == 3);
  for (size_t i = 0; i < 3; i++) {
    const Buf& buf = strategy.bufs[i];
    CHECK(buf.op == BufOp::kWrite);
    CHECK(buf.deferred);
    CHECK(buf.durable);
    CHECK(buf.lane == 7);
    CHECK(buf.cancel == &cancel);
    CHECK(buf.doomed == (i == 1));
    CHECK_FALSE(buf.nowait);
  }
  Transfer hasty = Make(0, 512, false);
  hasty.nowait = true;
  RunTransfer(strategy, hasty);
  CHECK(strategy.bufs.back().nowait);
  CHECK_FALSE(strategy.bufs.back().doomed);
}

TEST_CASE("issue 13: parts of a transfer make one buf of it to who counts, each on memory of its own") {
  Scripted strategy;
  Transfer transfer = Make(7, 3 * kChunk + 10, false);
  transfer.position += 100;
  transfer.durable = true;
  std::vector<uint8_t> memory(2 * kChunk);
  CHECK(RunPart(strategy, transfer, memory.data(), 2 * kChunk));
  CHECK(transfer.moved == 2 * kChunk);
  CHECK(RunPart(strategy, transfer, memory.data(), kChunk));
  CHECK(!RunPart(strategy, transfer, memory.data(), 10));
  REQUIRE(strategy.bufs.size() == 3);
  const int64_t sectors[] = {7, 7 + 256, 7 + 384};
  for (size_t i = 0; i < 3; i++) {
    CHECK(strategy.bufs[i].position == sectors[i] * 512 + 100);
    CHECK(strategy.bufs[i].data == memory.data());
    CHECK(strategy.bufs[i].durable);
    CHECK(strategy.bufs[i].first == (i == 0));
    CHECK(strategy.bufs[i].last == (i == 2));
  }
  CHECK(transfer.moved == 3 * kChunk + 10);
  CHECK(transfer.failed_blkno == 7);
}

TEST_CASE("issue 13: a part of a raw transfer is whole bufs, and a doomed one ends it") {
  Scripted strategy;
  Transfer transfer = Make(0, 4 * kChunk, true);
  transfer.doomed_chunk = 3;
  std::vector<uint8_t> memory(2 * kChunk);
  CHECK(RunPart(strategy, transfer, memory.data(), 2 * kChunk));
  strategy.answers = {{kChunk, 0}, {kChunk, 0}, {kChunk, 0}, {0, EIO}};
  CHECK(!RunPart(strategy, transfer, memory.data(), 2 * kChunk));
  REQUIRE(strategy.bufs.size() == 4);
  for (size_t i = 0; i < 4; i++) {
    CHECK(strategy.bufs[i].first);
    CHECK(strategy.bufs[i].last);
    CHECK(strategy.bufs[i].doomed == (i == 3));
    CHECK(strategy.bufs[i].data == memory.data() + i % 2 * kChunk);
  }
  CHECK(transfer.moved == 3 * kChunk);
  CHECK(transfer.failed_blkno == 3 * 128);
  CHECK(transfer.status.err == EIO);
}

TEST_CASE("issue 13: a part that fails or comes short ends the transfer, and names its first sector") {
  for (const Scripted::Answer& answer : {Scripted::Answer{100, ENOSPC}, Scripted::Answer{100, 0}}) {
    Scripted strategy;
    Transfer transfer = Make(7, 3 * kChunk, false);
    strategy.answers = {{kChunk, 0}, answer};
    CHECK(RunPart(strategy, transfer, transfer.data, kChunk));
    CHECK(!RunPart(strategy, transfer, transfer.data, kChunk));
    CHECK(transfer.moved == kChunk + 100);
    CHECK(transfer.status.err == answer.err);
    CHECK(transfer.failed_blkno == 7);
  }
}

}  // namespace
}  // namespace blk
