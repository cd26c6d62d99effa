// FlushState: memory that is stored to unseen, and what of it is lost.
#include "core/request/flush_state.h"
#include "test/support/check.h"

namespace blk {
namespace {

constexpr MediumSpan kAll{{0}, {UINT64_MAX}};

Status Good() { return Status::Ok(); }

struct Source final : StoreSource {
  MediumSpan Lost() const override { return lost; }
  MediumSpan lost;
};

TEST_CASE("while bytes may be stored to unseen, and once after that, there is something to sync") {
  FlushState flush;
  Source source;
  bool reached = false;
  flush.BeginStores(source);
  for (int i = 0; i < 3; i++) {
    CHECK(flush.Sync(Good, &reached).ok());
    CHECK(reached);
  }
  flush.EndStores(source, Status::Ok());
  CHECK(flush.Sync(Good, &reached).ok());
  CHECK(reached);
  CHECK(flush.Sync(Good, &reached).ok());
  CHECK_FALSE(reached);
}

TEST_CASE("a loss of a source is told once, and again only when it grows") {
  FlushState flush;
  Source one, two;
  flush.BeginStores(one);
  flush.BeginStores(two);
  CHECK(flush.LostStores().empty());
  CHECK(flush.TakeLoss(kAll).empty());
  one.lost = {{100}, {200}};
  two.lost = {{50}, {60}};
  CHECK(flush.LostStores().begin.value == 50);
  CHECK(flush.LostStores().end.value == 200);  // what is lost stays lost
  const MediumSpan told = flush.TakeLoss(kAll);
  CHECK(told.begin.value == 50);
  CHECK(told.end.value == 200);
  CHECK(flush.TakeLoss(kAll).empty());
  one.lost = {{100}, {300}};
  const MediumSpan more = flush.TakeLoss(kAll);  // without a sync in between
  CHECK(more.begin.value == 200);
  CHECK(more.end.value == 300);
  flush.EndStores(two, {EIO, Op::kMap});
  CHECK(flush.TakeLoss(kAll).empty());
  CHECK(flush.sticky().err == EIO);
  flush.NoteLoss({{7}, {8}});
  flush.NoteLoss({{5}, {6}});
  CHECK(flush.TakeLoss(kAll).begin.value == 5);
  flush.EndStores(one, {EIO, Op::kMap});
}

TEST_CASE("a loss is told to who has those bytes, whoever asks first") {
  FlushState flush;
  Source source;
  flush.BeginStores(source);
  source.lost = {{1000}, {3000}};
  flush.NoteLoss({{100}, {200}});
  CHECK(flush.TakeLoss({{200}, {1000}}).empty());
  const MediumSpan first = flush.TakeLoss({{0}, {2000}});
  CHECK(first.begin.value == 100);
  CHECK(first.end.value == 2000);
  CHECK(flush.TakeLoss({{0}, {2000}}).empty());
  const MediumSpan second = flush.TakeLoss({{2000}, {4000}});
  CHECK(second.begin.value == 2000);
  CHECK(second.end.value == 3000);
  flush.EndStores(source, {EIO, Op::kMap});
}

TEST_CASE("a source that ends with a loss makes its errno stick; one that outlasts the last close does not") {
  FlushState flush;
  Source lost, stale, sound;
  flush.BeginStores(sound);
  flush.EndStores(sound, Status::Ok());
  CHECK(flush.sticky().ok());
  flush.BeginStores(lost);
  lost.lost = {{0}, {4096}};
  flush.EndStores(lost, {ENOSPC, Op::kMap});
  CHECK(flush.sticky().err == ENOSPC);
  bool reached = false;
  CHECK(flush.Sync(Good, &reached).err == ENOSPC);
  flush.BeginStores(stale);
  flush.Reset();
  CHECK(flush.TakeLoss(kAll).empty());
  stale.lost = {{0}, {4096}};
  flush.EndStores(stale, {EIO, Op::kMap});
  CHECK(flush.sticky().ok());
  CHECK(flush.TakeLoss(kAll).empty());
}

}  // namespace
}  // namespace blk
