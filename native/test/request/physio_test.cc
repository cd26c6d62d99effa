#include "core/request/physio.h"

#include <limits>
#include <vector>

#include "core/request/plan.h"
#include "test/support/check.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

constexpr size_t kChunk = 64 * 1024;

// A device that ends nowhere near. Answers pieces from a list of (moved, errno); those behind its end move all. Keeps a
// copy of each.
class Scripted final : public Strategy, public Filter {
 public:
  struct Answer {
    size_t moved;
    int err;
  };
  static void Plan(Request& request) {
    DeviceRange range;
    range.size = kMaxSafeInteger;
    range.writable = true;
    PlanRequest(request, range);
  }
  FilterTraits traits() const override { return {}; }
  void Admit(Request&) override {}
  void Stopped(const Request& request) override { stopped_at.push_back(request.moved); }
  void Submit(Piece& piece) override {
    const bool told = pieces.size() < answers.size();
    const Answer answer = told ? answers[pieces.size()] : Answer{piece.size, 0};
    Biodone(piece, answer.moved, {answer.err, Op::kPread});
    pieces.push_back(piece);
  }
  std::vector<Answer> answers;
  std::vector<Piece> pieces;
  std::vector<size_t> stopped_at;
};

void Run(Scripted& strategy, Request& request) {
  Scripted::Plan(request);
  RunRequest(strategy, request);
}

// A request into memory that nobody touches: only addresses count here.
Request Make(int64_t blkno, size_t length, bool raw) {
  static std::vector<uint8_t> memory(1 << 20);
  test::Must(length <= memory.size(), "memory");
  Request request;
  request.position = PositionOfSector(blkno);
  request.length = length;
  request.data = memory.data();
  request.raw = raw;
  return request;
}

TEST_CASE("a request that is not raw is one piece, whatever its length") {
  Scripted strategy;
  Request request = Make(7, 1 << 20, false);
  request.position += 100;
  Run(strategy, request);
  REQUIRE(strategy.pieces.size() == 1);
  CHECK(strategy.pieces[0].position == 7 * 512 + 100);
  CHECK(strategy.pieces[0].size == 1 << 20);
  CHECK(strategy.pieces[0].data == request.data);
  CHECK(request.moved == 1 << 20);
  CHECK(request.status.ok());
}

TEST_CASE("a raw request is a piece per 64 KiB, in order, and the rest") {
  Scripted strategy;
  Request request = Make(3, 2 * kChunk + 1000, true);
  Run(strategy, request);
  REQUIRE(strategy.pieces.size() == 3);
  for (size_t i = 0; i < 3; i++) {
    CHECK(strategy.pieces[i].position == (3 + i * 128) * 512);
    CHECK(strategy.pieces[i].data == request.data + i * kChunk);
    CHECK(strategy.pieces[i].size == (i < 2 ? kChunk : 1000));
  }
  CHECK(request.moved == 2 * kChunk + 1000);
}

TEST_CASE("the number of pieces at the edges of a chunk") {
  for (const auto& [length, chunks] :
       {std::pair<size_t, size_t>{1, 1}, {kChunk, 1}, {kChunk + 1, 2}, {2 * kChunk, 2}}) {
    Scripted strategy;
    Request request = Make(0, length, true);
    Run(strategy, request);
    CHECK(request.pieces() == chunks);
    CHECK(strategy.pieces.size() == chunks);
    CHECK(request.moved == length);
  }
}

TEST_CASE("a raw request that starts inside a sector is EINVAL and makes no piece") {
  Scripted strategy;
  Request request = Make(9, 512, true);
  request.position += 1;
  Run(strategy, request);
  CHECK(request.status.err == EINVAL);
  CHECK(request.status.op == Op::kStrategy);
  CHECK(request.failed_blkno == 9);
  CHECK(request.moved == 0);
  CHECK(strategy.pieces.empty());
}

TEST_CASE("a request of length 0 makes no piece and succeeds, wherever it points") {
  for (const bool raw : {false, true}) {
    Scripted strategy;
    Request request = Make(1 << 30, 0, raw);
    Run(strategy, request);
    CHECK(strategy.pieces.empty());
    CHECK(request.status.ok());
    CHECK(request.moved == 0);
  }
}

TEST_CASE("the first failure ends it, and names its block, its bytes and its errno") {
  Scripted strategy;
  strategy.answers = {{kChunk, 0}, {512, EIO}};
  Request request = Make(0, 4 * kChunk, true);
  Run(strategy, request);
  CHECK(strategy.pieces.size() == 2);
  CHECK(request.moved == kChunk + 512);
  CHECK(request.status.err == EIO);
  CHECK(request.status.op == Op::kPread);
  CHECK(request.failed_blkno == 128);
  CHECK_FALSE(request.injected);
}

TEST_CASE("a short piece is the end of the device: no error, and nothing after it") {
  Scripted strategy;
  strategy.answers = {{kChunk, 0}, {512, 0}};
  Request request = Make(0, 4 * kChunk, true);
  Run(strategy, request);
  CHECK(strategy.pieces.size() == 2);
  CHECK(request.moved == kChunk + 512);
  CHECK(request.status.ok());
  CHECK_FALSE(request.injected);
}

TEST_CASE("a block number at the end of 64 bits makes no piece and no overflow") {
  for (const bool raw : {false, true}) {
    Scripted strategy;
    Request request = Make(std::numeric_limits<int64_t>::max(), 4 * kChunk, raw);
    Run(strategy, request);
    CHECK(strategy.pieces.empty());
    CHECK(request.status.err == EINVAL);
    CHECK(request.failed_blkno == std::numeric_limits<int64_t>::max() / 512);
  }
}

TEST_CASE("a request ends where its plan stops it, and whoever stopped it hears of that then") {
  Scripted strategy;
  Request request = Make(0, 3 * kChunk, true);
  Scripted::Plan(request);
  request.plan.StopAt(kChunk, {{EIO, Op::kStrategy}, &strategy});
  CHECK(request.moves());
  CHECK(strategy.stopped_at.empty());
  RunRequest(strategy, request);
  CHECK(strategy.pieces.size() == 1);
  CHECK(strategy.stopped_at == std::vector<size_t>{kChunk});
  CHECK(request.moved == kChunk);
  CHECK(request.status.err == EIO);
  CHECK(request.injected);
  CHECK(request.failed_blkno == 128);

  // Of one that fails before, nobody hears.
  strategy.answers = {{0, 0}, {100, ENOSPC}};
  request.moved = 0;
  RunRequest(strategy, request);
  CHECK(strategy.stopped_at.size() == 1);
  CHECK(request.moved == 100);
  CHECK(request.status.err == ENOSPC);
}

TEST_CASE("every piece carries what the call asked for") {
  Scripted strategy;
  std::atomic<bool> cancel{false};
  Request request = Make(0, 3 * kChunk, true);
  request.operation = Operation::kWrite;
  request.deferred = true;
  request.durable = true;
  request.lane = 7;
  request.cancel = &cancel;
  Run(strategy, request);
  REQUIRE(strategy.pieces.size() == 3);
  for (size_t i = 0; i < 3; i++) {
    const Piece& piece = strategy.pieces[i];
    CHECK(piece.operation == Operation::kWrite);
    CHECK(piece.deferred);
    CHECK(piece.durable);
    CHECK(piece.lane == 7);
    CHECK(piece.cancel == &cancel);
    CHECK_FALSE(piece.nowait);
  }
  Request hasty = Make(0, 512, false);
  hasty.nowait = true;
  Run(strategy, hasty);
  CHECK(strategy.pieces.back().nowait);
}

TEST_CASE("issue 13: parts of a request make one piece of it to who counts, each on memory of its own") {
  Scripted strategy;
  Request request = Make(7, 3 * kChunk + 10, false);
  request.position += 100;
  request.durable = true;
  std::vector<uint8_t> memory(2 * kChunk);
  Scripted::Plan(request);
  CHECK(RunPart(strategy, request, memory.data(), 2 * kChunk));
  CHECK(request.moved == 2 * kChunk);
  CHECK(RunPart(strategy, request, memory.data(), kChunk));
  CHECK(!RunPart(strategy, request, memory.data(), 10));
  REQUIRE(strategy.pieces.size() == 3);
  const uint64_t sectors[] = {7, 7 + 256, 7 + 384};
  for (size_t i = 0; i < 3; i++) {
    CHECK(strategy.pieces[i].position == sectors[i] * 512 + 100);
    CHECK(strategy.pieces[i].data == memory.data());
    CHECK(strategy.pieces[i].durable);
    CHECK(strategy.pieces[i].first == (i == 0));
    CHECK(strategy.pieces[i].last == (i == 2));
  }
  CHECK(request.moved == 3 * kChunk + 10);
}

TEST_CASE("issue 13: a part of a raw request is whole pieces, and the one that is stopped ends it") {
  Scripted strategy;
  Request request = Make(0, 4 * kChunk, true);
  std::vector<uint8_t> memory(2 * kChunk);
  Scripted::Plan(request);
  request.plan.StopAt(3 * kChunk, {{EIO, Op::kStrategy}, &strategy});
  CHECK(RunPart(strategy, request, memory.data(), 2 * kChunk));
  CHECK(!RunPart(strategy, request, memory.data(), 2 * kChunk));
  REQUIRE(strategy.pieces.size() == 3);
  for (size_t i = 0; i < 3; i++) {
    CHECK(strategy.pieces[i].first);
    CHECK(strategy.pieces[i].last);
    CHECK(strategy.pieces[i].data == memory.data() + i % 2 * kChunk);
  }
  CHECK(strategy.stopped_at == std::vector<size_t>{3 * kChunk});
  CHECK(request.moved == 3 * kChunk);
  CHECK(request.failed_blkno == 3 * 128);
  CHECK(request.status.err == EIO);
}

TEST_CASE("issue 13: a part that fails or comes short ends the request, and names its first sector") {
  for (const Scripted::Answer& answer : {Scripted::Answer{100, ENOSPC}, Scripted::Answer{100, 0}}) {
    Scripted strategy;
    Request request = Make(7, 3 * kChunk, false);
    strategy.answers = {{kChunk, 0}, answer};
    Scripted::Plan(request);
    CHECK(RunPart(strategy, request, request.data, kChunk));
    CHECK(!RunPart(strategy, request, request.data, kChunk));
    CHECK(request.moved == kChunk + 100);
    CHECK(request.status.err == answer.err);
    CHECK(request.failed_blkno == 7);
  }
}

}  // namespace
}  // namespace blk
