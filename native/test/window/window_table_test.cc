#include "core/window/window_table.h"

#include <atomic>
#include <utility>
#include <vector>

#include "test/support/check.h"
#include "test/support/rig.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::Call;
using test::kGiB;
using test::kMiB;
using test::Rig;

std::unique_ptr<WindowTable> Table(Rig& rig, uint64_t window_size, uint32_t count) {
  return std::make_unique<WindowTable>(*rig.channel->windows(), rig.mode(), rig.Geometry(window_size, count));
}

bool Shows(const std::optional<WindowRef>& window, uint64_t at) {
  return window && *window->At({at}) == test::PatternByte(at);
}

TEST_CASE("covers the range when there is a slot for every window") {
  Rig rig(4 * kMiB, kMiB + 512, 2 * kMiB);  // three windows
  rig.file.Fill();
  auto table = Table(rig, kMiB, 16);
  CHECK(table->covers());
  CHECK(table->slot_count() == 3);
  CHECK(rig.host.calls(Call::kMmap) == 3);
  for (const uint64_t at : {kMiB + 512, 2 * kMiB - 1, 2 * kMiB, 3 * kMiB, 3 * kMiB + 511}) {
    CHECK(Shows(table->Find({at}), at));
  }
  CHECK(table->Find({3 * kMiB + 11})->RoomFrom({3 * kMiB + 11}) == 501);  // B6: ends with the range
  const auto windows = table->List();
  REQUIRE(windows.size() == 3);
  CHECK(windows[0].offset.value == kMiB);
  CHECK(windows[2].length == 512);
}

TEST_CASE("B3: windows above 4 GiB are found and show what lies there") {
  Rig rig(6 * kGiB);
  const uint64_t at = 5 * kGiB + 123;
  rig.file.Write(at, {test::PatternByte(at)});
  auto table = Table(rig, kGiB, 16);
  CHECK(Shows(table->Find({at}), at));
}

TEST_CASE("a window without a slot of its own is not found, and takes the slot when it replaces") {
  Rig rig(8 * kMiB);
  rig.file.Fill();
  auto table = Table(rig, kMiB, 2);
  CHECK_FALSE(table->covers());
  CHECK(table->SlotOf({0}) == table->SlotOf({6 * kMiB}));
  CHECK_FALSE(table->Find({6 * kMiB}));
  CHECK(Shows(table->Find({100}), 100));

  CHECK(table->Replace({6 * kMiB + 5}));
  CHECK(Shows(table->Find({6 * kMiB + 5}), 6 * kMiB + 5));
  CHECK_FALSE(table->Find({100}));
  CHECK(Shows(table->Find({kMiB}), kMiB));  // the other slot is untouched
  CHECK(rig.host.mappings() == 2);
  CHECK_FALSE(table->Replace({6 * kMiB}));  // has it already
}

TEST_CASE("a window that is held is not replaced") {
  Rig rig(8 * kMiB);
  rig.file.Fill();
  auto table = Table(rig, kMiB, 2);
  {
    auto held = table->Find({100});
    CHECK(table->List()[0].refs == 1);
    CHECK_FALSE(table->Replace({6 * kMiB}));
    CHECK(Shows(held, 100));
  }
  CHECK(table->List()[0].refs == 0);
  CHECK(table->Replace({6 * kMiB}));
}

TEST_CASE("a window is pinned no more often than its references can be counted") {
  Rig rig(2 * kMiB);
  rig.file.Fill();
  auto table = Table(rig, kMiB, 2);
  // More than fit the word beside the number: one too many would change which window the slot seems to hold.
  std::vector<WindowRef> pins;
  for (size_t i = 0; i < 70'000; i++) {
    auto pin = table->Pin({100});
    if (pin) pins.push_back(std::move(*pin));
  }
  CHECK(pins.size() > 10'000);
  CHECK(pins.size() < 65'536);
  CHECK(table->List()[0].refs == pins.size());
  CHECK_FALSE(table->Pin({100}));
  CHECK_FALSE(table->Replace({100}));
  CHECK(Shows(table->Find({100}), 100));
  pins.pop_back();
  CHECK(table->Pin({100}));
  pins.clear();
  CHECK(table->List()[0].refs == 0);
}

TEST_CASE("a mapping that fails empties the slot, and the next one may fill it") {
  Rig rig(8 * kMiB);
  rig.file.Fill();
  auto table = Table(rig, kMiB, 2);
  rig.host.Fail(Call::kMmap, ENOMEM);
  CHECK_FALSE(table->Replace({6 * kMiB}));
  CHECK_FALSE(table->Find({6 * kMiB}));
  CHECK_FALSE(table->Find({100}));
  CHECK(table->List().size() == 1);
  CHECK(rig.host.mappings() == 1);
  CHECK(table->Replace({100}));
  CHECK(Shows(table->Find({100}), 100));
}

TEST_CASE("a munmap that fails does not keep the slot from its next window") {
  Rig rig(8 * kMiB);
  rig.file.Fill();
  auto table = Table(rig, kMiB, 2);
  rig.host.Fail(Call::kMunmap, EINVAL);
  CHECK(table->Replace({6 * kMiB}));
  CHECK(Shows(table->Find({6 * kMiB}), 6 * kMiB));
}

TEST_CASE("what cannot be mapped at the start stays empty, in a covering table too") {
  Rig rig(4 * kMiB);
  rig.file.Fill();
  rig.host.Fail(Call::kMmap, ENOMEM, 2, UINT64_MAX);
  auto table = Table(rig, kMiB, 4);
  CHECK(rig.host.calls(Call::kMmap) == 3);  // not tried again and again
  CHECK(Shows(table->Find({kMiB}), kMiB));
  CHECK_FALSE(table->Find({2 * kMiB}));
  CHECK_FALSE(table->Find({3 * kMiB}));
  CHECK(table->UnmapAll().ok());
  CHECK(rig.host.mappings() == 0);
}

TEST_CASE("UnmapAll unmaps every window and reports the first that munmap refused") {
  Rig rig(4 * kMiB);
  auto table = Table(rig, kMiB, 4);
  rig.host.Fail(Call::kMunmap, EINVAL, 1);
  rig.host.Fail(Call::kMunmap, EIO, 1);
  const Status status = table->UnmapAll();
  CHECK(status.err == EINVAL);
  CHECK(status.op == Op::kMunmap);
  CHECK(rig.host.mappings() == 0);
  CHECK(table->List().empty());
  CHECK(table->UnmapAll().ok());
  table.reset();
  CHECK(rig.host.misuses() == 0);
}

// The promise of the reference count: no reader ever sees another window's bytes, or memory that is gone.
TEST_CASE("readers and a replacer of one slot, until both have had their way many times") {
  test::Watchdog watchdog("window table", 100);
  constexpr uint64_t kTimes = 200;
  Rig rig(4 * kMiB);
  rig.file.Fill();
  auto table = Table(rig, kMiB, 1);
  std::atomic<uint64_t> wrong{0}, current{0};
  std::atomic<bool> replacing{true};
  test::RunTogether(4, [&](size_t index) {
    if (index == 0) {
      for (uint64_t replaced = 0; replaced < kTimes;) {
        const uint64_t next = (current + 1) % 4;
        if (!table->Replace({next * kMiB})) continue;
        current = next;
        replaced++;
      }
      replacing = false;
      return;
    }
    for (uint64_t found = 0, i = 0; replacing || found < kTimes; i++) {
      const uint64_t at = current * kMiB + i % kMiB;
      auto window = table->Find({at});
      if (!window) continue;
      found++;
      wrong += !Shows(window, at);
    }
  });
  CHECK(wrong == 0);
  const auto windows = table->List();
  REQUIRE(windows.size() == 1);
  CHECK(windows[0].refs == 0);
  CHECK(rig.host.mappings() == 1);
  CHECK(rig.host.misuses() == 0);
  CHECK(rig.host.calls(Call::kMmap) == kTimes + 1);
}

}  // namespace
}  // namespace blk
