#include "core/host/transfer_loop.h"

#include <vector>

#include "test/support/check.h"

namespace blk {
namespace {

struct Asked {
  size_t done;
  size_t size;
  bool operator==(const Asked&) const = default;
};

// Answers the given results in turn and remembers what it was asked.
struct Script {
  std::vector<int64_t> answers;
  std::vector<Asked> asked;
  int64_t operator()(size_t done, size_t size) {
    asked.push_back({done, size});
    REQUIRE(asked.size() <= answers.size());
    return answers[asked.size() - 1];
  }
};

TEST_CASE("B40: a short transfer is continued where it stopped") {
  Script script{{100, 1, 411}, {}};
  const Moved moved = MoveAll(Op::kPread, 512, nullptr, script);
  CHECK(moved.bytes == 512);
  CHECK(moved.status.ok());
  CHECK(script.asked == std::vector<Asked>{{0, 512}, {100, 412}, {101, 411}});
}

TEST_CASE("B40: EINTR is asked again, with nothing lost") {
  Script script{{-EINTR, 200, -EINTR, -EINTR, 312}, {}};
  const Moved moved = MoveAll(Op::kPwrite, 512, nullptr, script);
  CHECK(moved.bytes == 512);
  CHECK(moved.status.ok());
  CHECK(script.asked.size() == 5);
  CHECK(script.asked[3] == Asked{200, 312});
}

TEST_CASE("B40: a host that answers nothing but EINTR gets to its caller, with the bytes before it") {
  std::vector<int64_t> answers(kMostInterruptions, -EINTR);
  answers.push_back(200);  // in time: what is counted is how often in a row
  answers.insert(answers.end(), kMostInterruptions + 1, -EINTR);
  Script script{answers, {}};
  const Moved moved = MoveAll(Op::kPwrite, 512, nullptr, script);
  CHECK(moved.bytes == 200);
  CHECK(moved.status.err == EINTR);
  CHECK(moved.status.op == Op::kPwrite);
  CHECK(script.asked.size() == answers.size());

  std::atomic<bool> cancel{false};
  unsigned asked = 0;
  const auto interrupted = [&](size_t, size_t) -> int64_t {
    cancel = ++asked == 3;
    return -EINTR;
  };
  CHECK(MoveAll(Op::kPread, 512, &cancel, interrupted).status.err == ECANCELED);
}

TEST_CASE("B40: other calls are made again after EINTR as often, and give what they answer in the end") {
  unsigned asked = 0;
  CHECK(Uninterrupted([&] { return ++asked <= kMostInterruptions ? -EINTR : 7; }) == 7);
  asked = 0;
  CHECK(Uninterrupted([&] { return asked++, -EINTR; }) == -EINTR);
  CHECK(asked == kMostInterruptions + 1);
  CHECK(Uninterrupted([] { return -EIO; }) == -EIO);
}

TEST_CASE("an answer of 0 is EIO, with the bytes before it") {
  Script script{{300, 0}, {}};
  const Moved moved = MoveAll(Op::kPread, 512, nullptr, script);
  CHECK(moved.bytes == 300);
  CHECK(moved.status.err == EIO);
  CHECK(moved.status.op == Op::kPread);
}

TEST_CASE("an error ends the loop, with the bytes before it and the name of the call") {
  Script script{{300, -ENOSPC}, {}};
  const Moved moved = MoveAll(Op::kPwrite, 512, nullptr, script);
  CHECK(moved.bytes == 300);
  CHECK(moved.status.err == ENOSPC);
  CHECK(moved.status.op == Op::kPwrite);
}

TEST_CASE("nothing to move makes no call") {
  Script script{{}, {}};
  const Moved moved = MoveAll(Op::kPread, 0, nullptr, script);
  CHECK(moved.bytes == 0);
  CHECK(moved.status.ok());
  CHECK(script.asked.empty());
}

TEST_CASE("no call asks for more than a segment") {
  std::vector<size_t> sizes;
  const Moved moved = MoveAll(Op::kPread, 2 * kSegmentSize + 5, nullptr, [&](size_t, size_t size) {
    sizes.push_back(size);
    return static_cast<int64_t>(size);
  });
  CHECK(moved.bytes == 2 * kSegmentSize + 5);
  CHECK(sizes == std::vector<size_t>{kSegmentSize, kSegmentSize, 5});
}

TEST_CASE("a cancel flag ends the loop before the next segment") {
  std::atomic<bool> cancel{false};
  int calls = 0;
  const Moved moved = MoveAll(Op::kPread, 3 * kSegmentSize, &cancel, [&](size_t, size_t size) {
    calls++;
    cancel.store(true);
    return static_cast<int64_t>(size);
  });
  CHECK(calls == 1);
  CHECK(moved.bytes == kSegmentSize);
  CHECK(moved.status.err == ECANCELED);

  const Moved at_once = MoveAll(Op::kPread, 512, &cancel, [&](size_t, size_t) {
    calls++;
    return int64_t{512};
  });
  CHECK(at_once.bytes == 0);
  CHECK(at_once.status.err == ECANCELED);
  CHECK(calls == 1);
}

TEST_CASE("a flag that is set during the last segment changes nothing") {
  std::atomic<bool> cancel{false};
  const Moved moved = MoveAll(Op::kPread, 512, &cancel, [&](size_t, size_t size) {
    cancel.store(true);
    return static_cast<int64_t>(size);
  });
  CHECK(moved.bytes == 512);
  CHECK(moved.status.ok());
}

}  // namespace
}  // namespace blk
