// Channel::Start() of every medium there is, and LateMedium, whose answers come late and out of order.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "test/support/check.h"
#include "test/support/media.h"

namespace blk {
namespace {

using test::ForEachChannel;
using test::Kind;
using test::kMediumSize;
using test::Pattern;
using test::Writer;

// What Start() has said of one move.
struct Told {
  StartedMove move;
  std::vector<uint8_t> bytes;
  std::atomic<int> times{0};
  Moved moved;
};

TEST_CASE("medium: what is started is answered once, in any order, as a read and a write would be") {
  ForEachChannel([](const Kind& kind, Medium&, Channel& channel) {
    constexpr size_t kMoves = 200, kBytes = 4096;
    // The last one begins behind the end, the one before it crosses it; but of an image, whose disk ends where it
    // always does, and so do requests.
    const auto reach_of = [&](size_t i) {
      return !kind.image.empty() || i + 2 < kMoves ? kBytes : i + 1 == kMoves ? size_t{0} : size_t{512};
    };
    const auto place_of = [&](size_t i) {
      const size_t reach = reach_of(i);
      return reach == kBytes ? i * kBytes : reach == 0 ? kMediumSize + 512 : kMediumSize - reach;
    };
    const auto run = [&](StartedMove::Kind what, std::vector<Told>& all) {
      for (size_t i = 0; i < kMoves; i++) {
        Told& told = all[i];
        told.move.kind = what;
        told.move.at = {place_of(i)};
        told.move.data = told.bytes.data();
        told.move.size = kBytes;
        told.move.owner = &told;
        told.move.finish = [](StartedMove& move, const Moved& moved) {
          Told& to = *static_cast<Told*>(move.owner);
          to.moved = moved;
          // Release, with the acquire below: the outcome comes with it.
          to.times.fetch_add(1, std::memory_order_release);
        };
        channel.Start(told.move);
      }
      for (const Told& told : all) {
        while (told.times.load(std::memory_order_acquire) == 0) std::this_thread::yield();
      }
    };
    std::vector<Told> writes(kMoves), reads(kMoves);
    for (size_t i = 0; i < kMoves; i++) {
      writes[i].bytes = Pattern(i * kBytes, kBytes, 1);
      reads[i].bytes.assign(kBytes, 0xee);
    }
    // No write crosses the end of a host file, which it would make longer.
    const bool grows = kind.name == "host";
    if (!grows) run(StartedMove::Kind::kWrite, writes);
    run(StartedMove::Kind::kRead, reads);
    for (size_t i = 0; i < kMoves; i++) {
      const size_t reach = reach_of(i);
      CHECK(reads[i].times == 1);
      CHECK(reads[i].moved.bytes == reach);
      CHECK(reads[i].moved.status.err == (reach == kBytes ? 0 : EIO));
      if (grows) continue;
      CHECK(writes[i].times == 1);
      CHECK(writes[i].moved.bytes == reach);
      CHECK(writes[i].moved.status.err == (reach == kBytes ? 0 : kind.name == "node" ? ENOSPC : EIO));
      if (kind.keeps)
        CHECK(std::equal(reads[i].bytes.begin(), reads[i].bytes.begin() + reach, writes[i].bytes.begin()));
    }
  });
}

TEST_CASE("late medium: a thousand are under way without a thread for each, and come back out of order") {
  const auto answers = std::make_shared<LateAnswers>(std::chrono::milliseconds(2), 7, true);
  LateMedium medium(std::make_unique<MemoryMedium>(MemoryMedium::CreateStore(kMediumSize, "late", 512).Take()),
                    answers);
  auto channel = medium.Attach(Writer());
  REQUIRE(channel.ok());
  CHECK(channel.value()->starts(StartedMove::Kind::kSync));
  struct Finished {
    StartedMove move;
    std::vector<size_t>* order;
    size_t index;
  };
  std::vector<size_t> order;  // written by the medium's thread alone
  std::vector<Finished> moves(1000);
  std::vector<uint8_t> bytes(512);
  for (size_t i = 0; i < moves.size(); i++) {
    moves[i].order = &order;
    moves[i].index = i;
    moves[i].move = {StartedMove::Kind::kRead, {i * 512}, bytes.data(), bytes.size(), {}, nullptr, &moves[i]};
    moves[i].move.finish = [](StartedMove& move, const Moved&) {
      const Finished& one = *static_cast<Finished*>(move.owner);
      one.order->push_back(one.index);
    };
    channel.value()->Start(moves[i].move);
  }
  CHECK(answers->under_way() == 1000);
  CHECK(answers->peak() == 1000);
  answers->Release();
  // Behind all others: the longest delay is over for them by then.
  while (answers->under_way() > 0) std::this_thread::yield();
  REQUIRE(channel.value()->Read({0}, bytes.data(), bytes.size(), {}).status.ok());
  CHECK(order.size() == 1000);
  CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
  CHECK(medium.Detach(Writer()).ok());
}

}  // namespace
}  // namespace blk
