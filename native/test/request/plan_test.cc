// PlanRequest: what of a request will run. Nothing runs here.
#include "core/request/plan.h"

#include <vector>

#include "test/support/check.h"

namespace blk {
namespace {

constexpr size_t kChunk = 64 * 1024;
constexpr uint64_t kSize = 100 * 1024;  // one whole piece of a raw request, and a part of one
constexpr int64_t kEnd = kSize;

Request Make(Operation op, int64_t position, size_t length, bool raw, bool writable = true) {
  Request request;
  request.operation = op;
  request.position = position;
  request.length = length;
  request.raw = raw;
  DeviceRange range;
  range.size = kSize;
  range.begin = {4096};  // says nothing about positions of the device
  range.writable = writable;
  PlanRequest(request, range);
  return request;
}

TEST_CASE("pieces and reach of what may run, up to the piece that meets the end of the device") {
  struct Case {
    int64_t position;
    size_t length;
    bool raw;
    uint64_t pieces;
    size_t reach;
  };
  const Case cases[] = {
      {0, 1, true, 1, 1},
      {0, kChunk, true, 1, kChunk},
      {0, kChunk + 1, true, 2, kChunk + 1},
      {0, kSize, true, 2, kSize},
      {0, 8 * kChunk, true, 2, kSize},               // the second one is short
      {kEnd - kChunk, kChunk, true, 1, kChunk},      // ends with the device
      {kEnd - kChunk, 8 * kChunk, true, 2, kChunk},  // one that just fits, and one at the end, which moves nothing
      {kEnd, 8 * kChunk, true, 1, 0},                // at the end
      {kEnd - 512, 512, true, 1, 512},
      {0, kSize, false, 1, kSize},
      {0, 8 * kChunk, false, 1, kSize},
      {1, 1000, false, 1, 1000},
      {kEnd - 1, 1000, false, 1, 1},
      {kEnd, 1000, false, 1, 0},
  };
  for (const Case& c : cases) {
    for (const Operation op : {Operation::kRead, Operation::kWrite}) {
      const Request request = Make(op, c.position, c.length, c.raw);
      INFO("position " << c.position << " length " << c.length << " raw " << c.raw);
      CHECK(request.pieces() == c.pieces);
      CHECK(request.plan.reach == c.reach);
      CHECK(request.plan.stop_at == Plan::kNowhere);
      CHECK(request.moves());
    }
  }
}

TEST_CASE("what is refused is one piece, which is stopped at its start: the mode before the bounds") {
  const int64_t outside[] = {kEnd + 1, kEnd + 512, -1, -512, INT64_MIN, INT64_MAX, INT64_MAX - 511};
  for (const bool raw : {false, true}) {
    for (const int64_t position : outside) {
      if (raw && position % 512 != 0) continue;
      const Request read = Make(Operation::kRead, position, 8 * kChunk, raw);
      CHECK(read.pieces() == 1);
      CHECK(read.plan.stop_at == 0);
      CHECK(read.plan.stop.why.err == EINVAL);
      CHECK(read.plan.stop.by == nullptr);
      CHECK_FALSE(read.moves());
      CHECK(Make(Operation::kWrite, position, 8 * kChunk, raw, false).plan.stop.why.err == EACCES);
    }
    const Request write = Make(Operation::kWrite, 0, 8 * kChunk, raw, false);
    CHECK(write.pieces() == 1);
    CHECK(write.plan.stop_at == 0);
    CHECK(write.plan.stop.why.err == EACCES);
    CHECK(Make(Operation::kRead, 0, 512, raw, false).moves());
  }
}

TEST_CASE("of no bytes, and of a raw request inside a sector, nothing is planned") {
  for (const bool raw : {false, true}) {
    for (const int64_t position : {int64_t{0}, kEnd, kEnd + 512, int64_t{-512}}) {
      const Request empty = Make(Operation::kWrite, position, 0, raw, false);
      CHECK(empty.pieces() == 0);
      CHECK(empty.plan.stop.why.ok());
      CHECK_FALSE(empty.moves());
    }
  }
  for (const int64_t position : {int64_t{1}, int64_t{511}, int64_t{-1}, kEnd + 1}) {
    for (const size_t length : {size_t{0}, 8 * kChunk}) {
      const Request misplaced = Make(Operation::kWrite, position, length, true, false);
      CHECK(misplaced.pieces() == 0);
      CHECK(misplaced.plan.stop.why.err == EINVAL);
    }
  }
}

TEST_CASE("a plan stops at the earliest place, and of two that stop the same piece the outer one counts") {
  Plan plan;
  plan.StopAt(kChunk, {{EIO, Op::kStrategy}});
  plan.StopAt(2 * kChunk, {{EROFS, Op::kStrategy}});
  CHECK(plan.stop_at == kChunk);
  CHECK(plan.stop.why.err == EIO);
  plan.StopAt(kChunk, {{ENOSPC, Op::kStrategy}});
  CHECK(plan.stop.why.err == ENOSPC);
  plan.StopAt(0, {{EROFS, Op::kStrategy}});
  CHECK(plan.stop_at == 0);
  CHECK(plan.stop.why.err == EROFS);
}

}  // namespace
}  // namespace blk
