#include "core/medium/range_locks.h"

#include <random>

#include "test/support/check.h"

namespace blk {
namespace {

using Change = RangeLocks::Change;
using Range = RangeLocks::Range;

// Does what Minor does, on paper.
void Apply(RangeLocks& locks) {
  for (const Change& change : locks.Changes()) locks.Note(change, change.wanted, change.wanted == LockKind::kExclusive);
}

TEST_CASE("one range: one change up, none when it is held, one down") {
  RangeLocks locks;
  CHECK(locks.Changes().empty());
  locks.Add({100, 200}, LockKind::kShared);
  auto changes = locks.Changes();
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].range.begin == 100);
  CHECK(changes[0].range.end == 200);
  CHECK(changes[0].wanted == LockKind::kShared);
  CHECK(changes[0].held == LockKind::kNone);
  Apply(locks);
  CHECK(locks.Changes().empty());
  locks.Add({100, 200}, LockKind::kShared);
  CHECK(locks.Changes().empty());
  locks.Remove({100, 200}, LockKind::kShared);
  CHECK(locks.Changes().empty());
  locks.Remove({100, 200}, LockKind::kShared);
  changes = locks.Changes();
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].wanted == LockKind::kNone);
}

TEST_CASE("an empty range wants nothing") {
  RangeLocks locks;
  locks.Add({5, 5}, LockKind::kExclusive);
  CHECK(locks.Changes().empty());
  CHECK(locks.has_writer());
}

TEST_CASE("a part of a range: only it changes, and its end gives the rest back as it was") {
  RangeLocks locks;
  locks.Add({0, 1000}, LockKind::kShared);
  Apply(locks);
  locks.Add({400, 500}, LockKind::kExclusive);
  auto changes = locks.Changes();
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].range.begin == 400);
  CHECK(changes[0].range.end == 500);
  CHECK(changes[0].held == LockKind::kShared);
  Apply(locks);
  locks.Remove({0, 1000}, LockKind::kShared);
  changes = locks.Changes();
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].range.end == 400);
  CHECK(changes[1].range.begin == 500);
  CHECK(changes[1].range.end == 1000);
  Apply(locks);
  locks.ForgetWriter();
  changes = locks.Changes();  // the exclusive one went with its descriptor, and is still wanted
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].held == LockKind::kNone);
  CHECK(changes[0].wanted == LockKind::kExclusive);
}

// Against a model that has a lock for every byte.
TEST_CASE("any order of opens and closes of any ranges leaves every byte with the strongest lock wanted") {
  std::mt19937 random(20251);
  RangeLocks locks;
  std::vector<std::pair<Range, LockKind>> wants;
  std::vector<LockKind> held(64, LockKind::kNone);
  for (int step = 0; step < 2000; step++) {
    if (wants.size() > 8 || (!wants.empty() && random() % 2 == 0)) {
      const size_t i = random() % wants.size();
      locks.Remove(wants[i].first, wants[i].second);
      wants.erase(wants.begin() + static_cast<ptrdiff_t>(i));
    } else {
      const uint64_t a = random() % 65, b = random() % 65;
      wants.push_back({{std::min(a, b), std::max(a, b)}, random() % 2 ? LockKind::kShared : LockKind::kExclusive});
      locks.Add(wants.back().first, wants.back().second);
    }
    for (const Change& change : locks.Changes()) {
      for (uint64_t at = change.range.begin; at < change.range.end; at++) {
        REQUIRE(held[at] == change.held);
        held[at] = change.wanted;
      }
      locks.Note(change, change.wanted, change.wanted == LockKind::kExclusive);
    }
    for (uint64_t at = 0; at < held.size(); at++) {
      LockKind wanted = LockKind::kNone;
      for (const auto& [range, kind] : wants) {
        if (range.begin <= at && at < range.end && wanted != LockKind::kExclusive) wanted = kind;
      }
      REQUIRE(held[at] == wanted);
    }
  }
}

}  // namespace
}  // namespace blk
