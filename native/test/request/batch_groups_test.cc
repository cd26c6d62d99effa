// Groups of a batch: which sync serves which entries, and what a flush keeps apart.

#include <utility>

#include "test/support/batch_rig.h"
#include "test/support/check.h"

namespace blk {
namespace {

using test::BatchRig;
using test::Call;
using test::kFlush;
using test::kMiB;
using test::kRead;
using test::kWrite;
using test::Pattern;

TEST_CASE("one sync at the end of a group serves every durable write of it, and the flush that ends it") {
  for (const Access access : {Access::kAuto, Access::kMmap, Access::kPio}) {
    BatchRig rig(access);
    rig.Run({{kWrite, 0, 512, 0, 1}, {kWrite, 100, 512, 0, 1}, {kFlush, 0, 0, 0}});
    CHECK(rig.error == std::vector<int32_t>{0, 0, 0});
    CHECK(rig.host.calls(Call::kFdatasync) == 1);
    CHECK(rig.host.calls(Call::kMsync) + rig.host.calls(Call::kPwriteDurable) == 0);
    CHECK(rig.Count(Counter::kFlushes) == 1);
    rig.Run({{kWrite, 0, 512, 0, 1}, {kFlush, 0, 0, 0}, {kWrite, 100, 512, 0, 1}, {kWrite, 200, 512, 0, 1}});
    CHECK(rig.error == std::vector<int32_t>{0, 0, 0, 0});
    CHECK(rig.host.calls(Call::kFdatasync) == 3);
  }
}

TEST_CASE("when a group is synced, nothing behind its flush has been written, in any access") {
  for (const Access access : {Access::kAuto, Access::kMmap, Access::kPio}) {
    BatchRig rig(access);
    rig.arena = Pattern(0, kMiB, 1);
    // What the file holds at each sync: whether the record and the commit are there.
    std::vector<std::pair<bool, bool>> at_sync;
    rig.host.before = [&](const test::CallRecord& call) {
      if (call.call != Call::kFdatasync) return;
      at_sync.push_back({rig.file.Read(16 * 512, 512) == Pattern(0, 512, 1),  //
                         rig.file.Read(0, 512) == Pattern(512, 512, 1)});
    };
    rig.Run({{kWrite, 16, 512, 0}, {kFlush, 0, 0, 0}, {kWrite, 0, 512, 512}, {kFlush, 0, 0, 0}});
    CHECK(rig.error == std::vector<int32_t>{0, 0, 0, 0});
    CHECK(at_sync == std::vector<std::pair<bool, bool>>{{true, false}, {true, true}});
  }
}

TEST_CASE("no write behind a flush that failed begins, whatever made it fail") {
  for (const bool shrunk : {false, true}) {
    BatchRig rig;
    rig.arena = Pattern(0, kMiB, 1);
    if (shrunk) rig.file.Truncate(kMiB - 512);  // of which only a flush tells
    if (!shrunk) rig.host.Fail(Call::kFdatasync, EIO);
    rig.Run({{kWrite, 16, 512, 0},
             {kFlush, 0, 0, 0},
             {kWrite, 0, 512, 0},
             {kWrite, 1, 512, 512},
             {kWrite, 40, 512, 0, 1},
             {kRead, 16, 512, 2048}});
    CHECK(rig.error == std::vector<int32_t>{0, -EIO, -EIO, -EIO, -EIO, 0});
    CHECK(rig.resid == std::vector<uint32_t>{0, 0, 512, 512, 512, 0});
    CHECK(rig.file.Read(0, 1024) == Pattern(0, 1024));
    CHECK(rig.host.calls(Call::kFdatasync) == 1);
    CHECK(rig.succeeded == 2);
  }
}

TEST_CASE("the sync of a group that has no flush bars nothing: it is the last") {
  BatchRig rig;
  rig.host.Fail(Call::kFdatasync, EIO, 1);
  rig.Run({{kWrite, 0, 512, 0}, {kFlush, 0, 0, 0}, {kWrite, 1, 512, 0, 1}, {kWrite, 40, 512, 0}});
  CHECK(rig.error == std::vector<int32_t>{0, 0, -EIO, 0});
}

TEST_CASE("a batch without durable writes or flushes syncs nothing") {
  BatchRig rig;
  rig.Run({{kWrite, 0, 512, 0}, {kRead, 100, 512, 0, 1}});
  CHECK(rig.host.calls(Call::kFdatasync) == 0);
}

TEST_CASE("a sync that fails is the error of what it served, and sticks") {
  BatchRig rig;
  rig.host.Fail(Call::kFdatasync, EIO);
  rig.Run(
      {{kWrite, 0, 512, 0, 1}, {kWrite, 100, 512, 0}, {kRead, 0, 512, 0, 1}, {kFlush, 0, 0, 0}, {kRead, -1, 512, 0}});
  CHECK(rig.error == std::vector<int32_t>{-EIO, 0, 0, -EIO, -EINVAL});
  CHECK(rig.resid[0] == 0);
  rig.Run({{kWrite, 0, 512, 0, 1}, {kWrite, 1, 512, 512, 1}, {kWrite, 100, 512, 0}, {kFlush, 0, 0, 0}});
  CHECK(rig.error == std::vector<int32_t>{-EIO, -EIO, 0, -EIO});
  CHECK(rig.resid == std::vector<uint32_t>{512, 512, 0, 0});  // durable ones are not tried
  CHECK(rig.host.calls(Call::kFdatasync) == 1);
}

TEST_CASE("cache modes: writethrough makes every write durable, unsafe none, not even by a flush") {
  BatchRig through(Access::kPio, CacheMode::kWritethrough);
  through.Run({{kWrite, 0, 512, 0}});
  CHECK(through.host.calls(Call::kFdatasync) == 1);
  BatchRig unsafe(Access::kPio, CacheMode::kUnsafe);
  unsafe.Run({{kWrite, 0, 512, 0, 1}, {kFlush, 0, 0, 0}});
  CHECK(unsafe.error == std::vector<int32_t>{0, 0});
  CHECK(unsafe.host.calls(Call::kFdatasync) == 0);
}

TEST_CASE("a flush in a batch reports a host file that shrank, as any flush does") {
  BatchRig rig;
  rig.file.Truncate(4096);
  rig.Run({{kFlush, 0, 0, 0}});
  CHECK(rig.error == std::vector<int32_t>{-EIO});
}

}  // namespace
}  // namespace blk
