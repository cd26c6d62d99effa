// BoundedStrategy and the plans that it makes: what a request may reach, and what is counted. The path below only
// writes down what it was asked.
#include "core/request/strategy.h"

#include <cstdint>
#include <limits>

#include "core/request/physio.h"
#include "core/request/plan.h"
#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::kMiB;

struct Asked {
  uint64_t at = 0;
  size_t size = 0;
};

class Recorder final : public BoundedStrategy {
 public:
  using BoundedStrategy::BoundedStrategy;
  std::vector<Asked> asked;
  std::optional<Moved> answer;

 protected:
  Moved Move(const Piece&, MediumOffset at, size_t size) override {
    asked.push_back({at.value, size});
    return answer.value_or(Moved{size, Status::Ok()});
  }
  Moved Apply(const Piece& piece, MediumOffset at, size_t size) override { return Move(piece, at, size); }
};

struct Bench {
  explicit Bench(uint64_t size, uint64_t begin = 0, bool writable = true)
      : range{size, {begin}, writable, &counters, &flush}, strategy(range) {}

  Request Make(Operation op, int64_t blkno, size_t length, uint32_t skip = 0) {
    memory.resize(length);
    Request request;
    request.operation = op;
    request.position = PositionOfSector(blkno) + skip;
    request.length = length;
    request.data = memory.data();
    return request;
  }
  Request Run(Request request) {
    PlanRequest(request, range);
    RunRequest(strategy, request);
    return request;
  }
  Request Run(Operation op, int64_t blkno, size_t length) { return Run(Make(op, blkno, length)); }
  Request Read(int64_t blkno, size_t length, uint32_t skip = 0) {
    return Run(Make(Operation::kRead, blkno, length, skip));
  }
  uint64_t Count(Counter counter) const { return counters.Snapshot()[static_cast<size_t>(counter)]; }

  Counters counters;
  FlushState flush;
  const DeviceRange range;
  Recorder strategy;
  std::vector<uint8_t> memory;
};

TEST_CASE("B2: bounds are checked in device coordinates, the medium offset is added once") {
  Bench bench(8 * 512, 1000 * 512);
  const Request request = bench.Read(7, 512);
  CHECK(request.status.ok());
  CHECK(request.moved == 512);
  REQUIRE(bench.strategy.asked.size() == 1);
  CHECK(bench.strategy.asked[0].at == 1007 * 512);
  CHECK(bench.strategy.asked[0].size == 512);
}

TEST_CASE("B2: an offset that is no multiple of a sector is added as it is") {
  Bench bench(32000, 16000);
  CHECK(bench.Read(0, 32000).moved == 32000);
  CHECK(bench.strategy.asked[0].at == 16000);
  CHECK(bench.strategy.asked[0].size == 32000);
}

TEST_CASE("B4: a negative block is EINVAL, before the window and with nothing moved") {
  Bench bench(kMiB, kMiB);
  for (const int64_t blkno : {int64_t{-1}, int64_t{-2}, std::numeric_limits<int64_t>::min()}) {
    const Request request = bench.Read(blkno, 512);
    INFO("blkno " << blkno);
    CHECK(request.status.err == EINVAL);
    CHECK(request.status.op == Op::kStrategy);
    CHECK(request.moved == 0);
  }
  CHECK(bench.strategy.asked.empty());
}

TEST_CASE("B5: a block number whose bytes do not fit 64 bits is EINVAL") {
  Bench bench(kMaxSafeInteger);
  for (const int64_t blkno : {std::numeric_limits<int64_t>::max(), int64_t{1} << 55, (int64_t{1} << 55) + 1}) {
    CHECK(bench.Read(blkno, 512).status.err == EINVAL);
  }
  CHECK(bench.strategy.asked.empty());
}

TEST_CASE("exactly at the end: no bytes, no error, and the path is not asked") {
  Bench bench(8 * 512);
  for (const Operation op : {Operation::kRead, Operation::kWrite}) {
    const Request request = bench.Run(op, 8, 512);
    CHECK(request.status.ok());
    CHECK(request.moved == 0);
  }
  CHECK(bench.strategy.asked.empty());
  CHECK(bench.Count(Counter::kIoTotal) == 2);
  CHECK(bench.Count(Counter::kBytesWritten) == 0);
}

TEST_CASE("beyond the end: EINVAL, a byte or a sector beyond alike") {
  Bench bench(8 * 512);
  CHECK(bench.Read(9, 512).status.err == EINVAL);
  CHECK(bench.Read(8, 512, 1).status.err == EINVAL);
  Bench ragged(8 * 512 + 100);
  CHECK(ragged.Read(8, 512, 100).status.ok());
  CHECK(ragged.Read(8, 512, 101).status.err == EINVAL);
  CHECK(bench.strategy.asked.empty());
}

TEST_CASE("B39: a request across the end moves what there is and keeps its own length") {
  Bench bench(8 * 512);
  const Request request = bench.Read(7, 4 * 512);
  CHECK(request.status.ok());
  CHECK(request.length == 4 * 512);
  CHECK(request.moved == 512);
  CHECK(bench.strategy.asked[0].size == 512);
}

TEST_CASE("bytes into the first sector are part of the position") {
  Bench bench(8 * 512, 4096);
  CHECK(bench.Read(7, 1000, 511).moved == 1);
  CHECK(bench.strategy.asked[0].at == 4096 + 7 * 512 + 511);
  CHECK(bench.strategy.asked[0].size == 1);
}

TEST_CASE("a device without bytes reads as its end") {
  Bench bench(0);
  const Request request = bench.Read(0, 512);
  CHECK(request.status.ok());
  CHECK(request.moved == 0);
  CHECK(bench.Read(1, 512).status.err == EINVAL);
}

TEST_CASE("B15: a write on an 'r' open is EACCES, wherever it points, and reaches nothing") {
  Bench bench(8 * 512, 0, false);
  for (const int64_t blkno : {0, 8, 9, -1}) {
    const Request request = bench.Run(Operation::kWrite, blkno, 512);
    CHECK(request.status.err == EACCES);
    CHECK(request.moved == 0);
  }
  CHECK(bench.strategy.asked.empty());
  CHECK(bench.Count(Counter::kIoTotal) == 0);
  CHECK(bench.Read(0, 512).status.ok());
}

TEST_CASE("B14, B43: requests are counted when they passed the bounds, bytes when they moved") {
  Bench bench(8 * 512);
  bench.Read(0, 1024);
  bench.Read(9, 512);   // refused
  bench.Read(-1, 512);  // refused
  bench.Read(7, 1024);  // half of it
  bench.Run(Operation::kWrite, 7, 2048);
  CHECK(bench.Count(Counter::kIoTotal) == 3);
  CHECK(bench.Count(Counter::kBytesRead) == 1536);
  CHECK(bench.Count(Counter::kBytesWritten) == 512);
  CHECK(bench.Count(Counter::kIoAsync) == 0);
  CHECK(bench.Count(Counter::kBytesWrittenAsync) == 0);
}

TEST_CASE("deferred requests are counted apart, in the lane they name") {
  Bench bench(8 * 512);
  bench.memory.resize(512);
  for (const Operation op : {Operation::kRead, Operation::kWrite}) {
    Piece piece;
    piece.operation = op;
    piece.size = 512;
    piece.data = bench.memory.data();
    piece.deferred = true;
    piece.lane = 5;
    bench.strategy.Submit(piece);
  }
  CHECK(bench.Count(Counter::kIoTotal) == 2);
  CHECK(bench.Count(Counter::kIoAsync) == 2);
  CHECK(bench.Count(Counter::kBytesRead) == 512);
  CHECK(bench.Count(Counter::kBytesWritten) == 512);
  CHECK(bench.Count(Counter::kBytesWrittenAsync) == 512);
}

TEST_CASE("what the path moved before its error is told and counted") {
  Bench bench(8 * 512);
  bench.strategy.answer = Moved{300, {EIO, Op::kPread}};
  const Request request = bench.Read(0, 1024);
  CHECK(request.status.err == EIO);
  CHECK(request.status.op == Op::kPread);
  CHECK(request.moved == 300);
  CHECK(bench.Count(Counter::kIoTotal) == 1);
  CHECK(bench.Count(Counter::kBytesRead) == 300);
}

TEST_CASE("after a failed sync, durable writes answer its error and others go on") {
  Bench bench(8 * 512);
  bench.memory.resize(512);
  CHECK(bench.flush.Fail({ENOSPC, Op::kMsync}).err == ENOSPC);
  Piece piece = test::WritePiece(0, bench.memory, true);
  bench.strategy.Submit(piece);
  CHECK(piece.status.err == ENOSPC);
  CHECK(piece.status.op == Op::kMsync);
  CHECK(piece.resid() == 512);
  CHECK(bench.strategy.asked.empty());
  piece = test::WritePiece(0, bench.memory, false);
  bench.strategy.Submit(piece);
  CHECK(piece.status.ok());
  piece = test::ReadPiece(0, bench.memory);
  piece.durable = true;  // says nothing about a read
  bench.strategy.Submit(piece);
  CHECK(piece.status.ok());
}

TEST_CASE("a request that will not wait is not counted when it would have to") {
  Bench bench(8 * 512);
  bench.memory.resize(512);
  Piece piece = test::ReadPiece(0, bench.memory);
  piece.nowait = true;
  for (const int err : {EOPNOTSUPP, EAGAIN}) {
    bench.strategy.answer = Moved{0, {err, Op::kPread}};
    bench.strategy.Submit(piece);
    CHECK(piece.status.err == err);
    CHECK(piece.resid() == 512);
    CHECK(bench.Count(Counter::kIoTotal) == 0);
  }
  piece.nowait = false;  // the host's own EAGAIN is an outcome like any other
  bench.strategy.Submit(piece);
  CHECK(bench.Count(Counter::kIoTotal) == 1);
}

TEST_CASE("what moves no bytes of the caller's is bounded as a write is, and counts for itself") {
  Bench b(4096);
  const auto run = [&](Operation op, int64_t blkno, size_t length) {
    Request request = b.Make(op, blkno, length);
    request.data = nullptr;
    return b.Run(request);
  };
  CHECK(run(Operation::kDiscard, 1, 1024).moved == 1024);
  CHECK(run(Operation::kZero, 7, 4096).moved == 512);
  CHECK(run(Operation::kZero, 9, 1).status.err == EINVAL);
  CHECK(run(Operation::kPrefetch, 0, 512).status.ok());
  b.strategy.answer = Moved{};
  CHECK(run(Operation::kDiscard, 0, 512).moved == 0);
  CHECK(b.strategy.asked.size() == 4);
  CHECK(b.Count(Counter::kDiscards) == 2);
  CHECK(b.Count(Counter::kBytesDiscarded) == 1024);
  CHECK(b.Count(Counter::kDiscardsIgnored) == 1);
  CHECK(b.Count(Counter::kZeroes) == 1);
  CHECK(b.Count(Counter::kBytesZeroed) == 512);
  CHECK(b.Count(Counter::kIoTotal) == 0);

  Bench reader(4096, 0, false);
  const auto refused = [&](Operation op) {
    Request request = reader.Make(op, 0, 512);
    return reader.Run(request).status.err;
  };
  CHECK(refused(Operation::kDiscard) == EACCES);
  CHECK(refused(Operation::kZero) == EACCES);
  CHECK(refused(Operation::kPrefetch) == 0);
}

}  // namespace
}  // namespace blk
