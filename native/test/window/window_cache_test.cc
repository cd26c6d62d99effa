// WindowCache on one thread: order, lengths, counters, failures. Waiting is in window_cache_threads_test.cc.
#include "core/window/window_cache.h"

#include <cstring>
#include <optional>

#include "test/support/check.h"
#include "test/support/rig.h"

namespace blk {
namespace {

using test::Call;
using test::kGiB;
using test::kKiB;
using test::kMiB;
using test::Rig;

// Indices of the mapped windows, most recently used first.
std::vector<uint64_t> Order(const WindowCache& cache, uint64_t window_size = kMiB) {
  std::vector<uint64_t> indices;
  for (const WindowInfo& window : cache.List()) indices.push_back(window.offset.value / window_size);
  return indices;
}

// What a request does to the windows: one after the other, each let go before the next.
void Touch(WindowCache& cache, uint64_t at, uint64_t size) {
  while (size > 0) {
    auto window = cache.Acquire({at}, 0);
    REQUIRE(window.ok());
    const uint64_t piece = std::min<uint64_t>(size, window.value().RoomFrom({at}));
    at += piece;
    size -= piece;
  }
}

TEST_CASE("the golden trace of the seed: order, hits, maps and unmaps") {
  Rig rig(20 * kMiB);
  auto cache = rig.Windows(kMiB, 16);
  CHECK(Order(*cache) == std::vector<uint64_t>{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
  CHECK(rig.Count(Counter::kWindowHits) == 0);
  CHECK(rig.host.calls(Call::kMmap) == 16);

  Touch(*cache, 0, 512);
  CHECK(rig.Count(Counter::kWindowHits) == 1);
  CHECK(Order(*cache) == std::vector<uint64_t>{0, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
  Touch(*cache, 16 * kMiB, 512);  // evicts 1
  CHECK(Order(*cache) == std::vector<uint64_t>{16, 0, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2});
  Touch(*cache, 3 * kMiB / 2, kMiB);  // maps 1 and 2, evicts 2 and 3
  CHECK(Order(*cache) == std::vector<uint64_t>{2, 1, 16, 0, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4});
  CHECK(rig.Count(Counter::kWindowHits) == 1);
  Touch(*cache, kMiB - 32 * kKiB, 64 * kKiB);
  CHECK(rig.Count(Counter::kWindowHits) == 3);
  Touch(*cache, 0, 512);
  CHECK(rig.Count(Counter::kWindowHits) == 4);
  Touch(*cache, 19 * kMiB + 512, 512);  // evicts 4
  Touch(*cache, 4 * kMiB, 8192);        // evicts 5
  CHECK(Order(*cache) == std::vector<uint64_t>{4, 19, 0, 1, 2, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6});
  CHECK(rig.Count(Counter::kWindowHits) == 4);
  CHECK(rig.Count(Counter::kWindowMisses) == 5);
  CHECK(rig.Count(Counter::kWindowBusy) == 0);
  CHECK(rig.host.calls(Call::kMmap) == 21);
  CHECK(rig.host.calls(Call::kMunmap) == 5);
}

TEST_CASE("no more windows than the range needs, each as long as the range allows") {
  Rig rig(3 * kMiB + 512, kMiB + 1024, 2 * kMiB - 512);  // [1 MiB + 1024, 3 MiB + 512)
  auto cache = rig.Windows(kMiB, 16);
  const auto windows = cache->List();
  REQUIRE(windows.size() == 3);
  CHECK(windows[2].offset.value == kMiB);
  CHECK(windows[2].length == kMiB);
  CHECK(windows[0].offset.value == 3 * kMiB);
  CHECK(windows[0].length == 512);
  CHECK(windows[0].refs == 0);
}

TEST_CASE("B6: a reference reaches the bytes of its place and no further than the range") {
  Rig rig(8 * kMiB, 5 * kMiB + 512, 2 * kMiB);
  rig.file.Fill();
  auto cache = rig.Windows(kMiB, 2);
  for (const uint64_t at : {5 * kMiB + 512, 6 * kMiB - 1, 6 * kMiB, 7 * kMiB, 7 * kMiB + 511}) {
    auto window = cache->Acquire({at}, 0);
    REQUIRE(window.ok());
    CHECK(*window.value().At({at}) == test::PatternByte(at));
  }
  auto last = cache->Acquire({7 * kMiB + 100}, 0);
  CHECK(last.value().RoomFrom({7 * kMiB + 100}) == 412);
  auto middle = cache->Acquire({6 * kMiB + 1}, 0);
  CHECK(middle.value().RoomFrom({6 * kMiB + 1}) == kMiB - 1);
}

TEST_CASE("B3: a window above 4 GiB shows the bytes that lie there") {
  Rig rig(6 * kGiB);
  const uint64_t at = 4 * kGiB + 123;
  rig.file.Write(at, test::Pattern(at, 512));
  rig.file.Write(123, test::Pattern(0, 512, 9));  // what the seed would have shown
  auto cache = rig.Windows(kMiB, 2);
  auto window = cache->Acquire({at}, 0);
  REQUIRE(window.ok());
  CHECK(std::memcmp(window.value().At({at}), test::Pattern(at, 512).data(), 512) == 0);
  CHECK(window.value().RoomFrom({at}) == kMiB - 123);
  CHECK(rig.host.Journal(Call::kMmap).back().offset == 4 * kGiB);
}

TEST_CASE("B15: windows of an 'r' open are not writable, those of an 'r+' open are") {
  for (const bool writable : {false, true}) {
    Rig rig(kMiB, 0, kMiB, writable);
    auto cache = rig.Windows(kMiB, 1);
    CHECK(rig.host.Journal(Call::kMmap).back().mode == (writable ? MapMode::kReadWrite : MapMode::kRead));
  }
}

TEST_CASE("B8: a window that is held at the tail is passed over for the next one") {
  Rig rig(8 * kMiB);
  auto cache = rig.Windows(kMiB, 3);
  auto held = cache->Acquire({0}, 0);
  Touch(*cache, kMiB, 1);
  Touch(*cache, 2 * kMiB, 1);
  REQUIRE(Order(*cache) == std::vector<uint64_t>{2, 1, 0});
  Touch(*cache, 5 * kMiB, 1);  // the seed would wait for window 0 for ever
  CHECK(Order(*cache) == std::vector<uint64_t>{5, 2, 0});
  Touch(*cache, 6 * kMiB, 1);
  CHECK(Order(*cache) == std::vector<uint64_t>{6, 5, 0});
  CHECK(rig.Count(Counter::kWindowBusy) == 0);
  CHECK(cache->List().back().refs == 1);
}

TEST_CASE("references are counted, and a moved one counts once") {
  Rig rig(2 * kMiB);
  auto cache = rig.Windows(kMiB, 2);
  {
    auto first = cache->Acquire({0}, 0);
    WindowRef second = cache->Acquire({512}, 0).Take();
    CHECK(cache->List().front().refs == 2);
    WindowRef moved = std::move(second);
    CHECK(cache->List().front().refs == 2);
  }
  CHECK(cache->List().front().refs == 0);
}

TEST_CASE("B10: a mapping that fails is the request's error and leaves a cache that works") {
  Rig rig(8 * kMiB);
  rig.file.Fill();
  auto cache = rig.Windows(kMiB, 2);
  rig.host.Fail(Call::kMmap, ENOMEM);
  const auto refused = cache->Acquire({5 * kMiB}, 0);
  CHECK(refused.status().err == ENOMEM);
  CHECK(refused.status().op == Op::kMmap);
  CHECK(Order(*cache) == std::vector<uint64_t>{1});
  CHECK(rig.host.mappings() == 1);
  CHECK(rig.Count(Counter::kWindowMisses) == 0);

  Touch(*cache, kMiB, 1);      // what is mapped is still found
  Touch(*cache, 5 * kMiB, 1);  // and the empty window is the first to be used
  CHECK(Order(*cache) == std::vector<uint64_t>{5, 1});
  auto window = cache->Acquire({5 * kMiB + 7}, 0);
  CHECK(*window.value().At({5 * kMiB + 7}) == test::PatternByte(5 * kMiB + 7));
}

TEST_CASE("a munmap that fails while windows change is the request's error, and the cache goes on") {
  Rig rig(8 * kMiB);
  auto cache = rig.Windows(kMiB, 1);
  rig.host.Fail(Call::kMunmap, EINVAL);
  const auto refused = cache->Acquire({5 * kMiB}, 0);
  CHECK(refused.status().err == EINVAL);
  CHECK(refused.status().op == Op::kMunmap);
  CHECK(cache->List().empty());
  Touch(*cache, 5 * kMiB, 1);
  CHECK(Order(*cache) == std::vector<uint64_t>{5});
}

TEST_CASE("UnmapAll unmaps every window and reports the first that munmap refused") {
  Rig rig(4 * kMiB);
  auto cache = rig.Windows(kMiB, 4);
  rig.host.Fail(Call::kMunmap, EINVAL, 1);
  rig.host.Fail(Call::kMunmap, EIO, 1);
  const Status status = cache->UnmapAll();
  CHECK(status.err == EINVAL);
  CHECK(status.op == Op::kMunmap);
  CHECK(rig.host.calls(Call::kMunmap) == 4);
  CHECK(rig.host.mappings() == 0);
  CHECK(cache->List().empty());
  CHECK(cache->UnmapAll().ok());
}

TEST_CASE("windows that cannot be mapped at open leave nothing behind") {
  Rig rig(8 * kMiB);
  rig.host.Fail(Call::kMmap, ENODEV, 2);
  const auto refused = WindowCache::Create(*rig.channel->windows(), rig.mode(), rig.Geometry(kMiB, 4), rig.counters);
  CHECK(refused.status().err == ENODEV);
  CHECK(refused.status().op == Op::kMmap);
  CHECK(rig.host.calls(Call::kMmap) == 3);
  CHECK(rig.host.mappings() == 0);
}

TEST_CASE("a cache that goes unmaps its windows") {
  Rig rig(4 * kMiB);
  rig.Windows(kMiB, 4).reset();
  CHECK(rig.host.mappings() == 0);
  CHECK(rig.host.misuses() == 0);
}

}  // namespace
}  // namespace blk
