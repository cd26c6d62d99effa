// B34: what the guard does inside watched mappings. What it does about others' signals is in page_guard_signal_test.cc.
#include "core/host/page_guard.h"

#include <cstring>
#include <vector>

#include "core/host/copy.h"
#include "core/host/mapping.h"
#include "test/support/check.h"
#include "test/support/rig.h"
#include "test/support/threads.h"

namespace blk {
namespace {

using test::kMiB;
using test::Rig;

constexpr size_t kPage = 4096;

Mapping Map(Rig& rig, uint64_t offset, size_t size) {
  return Mapping::Create(rig.host, rig.fd.get(), {offset}, size, MapMode::kReadWrite).Take();
}

TEST_CASE("B34: a read from a page that was cut off survives, gives zeros and poisons the mapping") {
  Rig rig(kMiB);
  rig.file.Fill();
  const Mapping mapping = Map(rig, 0, kMiB);
  rig.file.Truncate(4 * kPage);
  std::vector<uint8_t> copy(2 * kPage, 0xff);
  CopyBytes(copy.data(), mapping.data() + 3 * kPage, copy.size());
  CHECK(std::memcmp(copy.data(), test::Pattern(3 * kPage, kPage).data(), kPage) == 0);
  CHECK(std::vector<uint8_t>(copy.begin() + kPage, copy.end()) == std::vector<uint8_t>(kPage, 0));
  CHECK(mapping.poisoned());
}

TEST_CASE("B34: a store into a page that was cut off survives and poisons the mapping") {
  Rig rig(kMiB);
  const Mapping mapping = Map(rig, 0, kMiB);
  rig.file.Truncate(0);
  const auto bytes = test::Pattern(0, 3 * kPage);
  CopyBytes(mapping.data() + kPage, bytes.data(), bytes.size());
  CHECK(mapping.poisoned());
  CHECK(rig.file.Size() == 0);
}

TEST_CASE("B34: pages that are still there keep their bytes, and other mappings their good name") {
  Rig rig(2 * kMiB);
  rig.file.Fill();
  Rig other(kMiB);
  other.file.Fill(1);
  const Mapping first = Map(rig, 0, kMiB);
  const Mapping second = Map(rig, kMiB, kMiB);
  const Mapping elsewhere = Map(other, 0, kMiB);
  rig.file.Truncate(kMiB);
  uint8_t byte = 0xff;
  CopyBytes(&byte, second.data() + 10 * kPage, 1);
  CHECK(byte == 0);
  CHECK(second.poisoned());
  CHECK_FALSE(first.poisoned());
  CHECK_FALSE(elsewhere.poisoned());
  CHECK(std::memcmp(first.data(), test::Pattern(0, kMiB).data(), kMiB) == 0);
  CHECK_FALSE(first.poisoned());
  CHECK(std::memcmp(elsewhere.data(), test::Pattern(0, kMiB, 1).data(), kMiB) == 0);
}

TEST_CASE("a mapping that follows a poisoned one starts clean") {
  Rig rig(kMiB);
  {
    const Mapping poisoned = Map(rig, 0, kMiB);
    rig.file.Truncate(0);
    poisoned.data()[0] = 1;
    REQUIRE(poisoned.poisoned());
  }
  rig.file.Truncate(kMiB);
  rig.file.Fill();
  const Mapping fresh = Map(rig, 0, kMiB);
  CHECK(std::memcmp(fresh.data(), test::Pattern(0, kMiB).data(), kMiB) == 0);
  CHECK_FALSE(fresh.poisoned());
}

TEST_CASE("more mappings than one block of the registry holds are all watched") {
  constexpr size_t kCount = 600;
  Rig rig(kCount * kPage);
  std::vector<Mapping> mappings;
  for (size_t i = 0; i < kCount; i++) mappings.push_back(Map(rig, i * kPage, kPage));
  rig.file.Truncate(0);
  for (size_t i = 0; i < kCount; i += 2) mappings[i].data()[7] = 1;
  size_t poisoned = 0;
  for (size_t i = 0; i < kCount; i++) {
    poisoned += mappings[i].poisoned();
    if (mappings[i].poisoned() != (i % 2 == 0)) FAIL("mapping " << i << " has the wrong mark");
  }
  CHECK(poisoned == kCount / 2);
}

TEST_CASE("a watch ends with its owner and can be moved") {
  uint8_t memory[2];
  PageWatch none;
  CHECK_FALSE(none.valid());
  CHECK_FALSE(none.poisoned());
  CHECK(none.lost().begin == none.lost().end);
  PageWatch first = PageWatch::Over(&memory[0], 1);
  REQUIRE(first.valid());
  PageWatch second = std::move(first);
  CHECK_FALSE(first.valid());
  CHECK(second.valid());
  second.Stop();
  CHECK_FALSE(second.valid());
  second.Stop();
  PageWatch& same = second;
  second = std::move(same);
  CHECK_FALSE(second.valid());
}

TEST_CASE("B34: what was lost is known by the page, and everything that watches the page knows it") {
  Rig rig(16 * kPage);
  const Mapping mapping = Map(rig, 0, 16 * kPage);
  const PageWatch hit = PageWatch::Over(mapping.data() + 5 * kPage + 100, kPage);  // ends 100 bytes into page 6
  const PageWatch clear = PageWatch::Over(mapping.data() + 7 * kPage, 9 * kPage);
  const PageWatch whole = PageWatch::Over(mapping.data(), 16 * kPage);
  CHECK(whole.lost().begin >= whole.lost().end);
  rig.file.Truncate(0);
  mapping.data()[6 * kPage + 200] = 1;  // behind the end of `hit`, on its last page
  CHECK(hit.poisoned());
  CHECK(hit.lost().begin == kPage - 100);
  CHECK(hit.lost().end == kPage);
  CHECK_FALSE(clear.poisoned());
  CHECK(whole.lost().begin == 6 * kPage);
  CHECK(whole.lost().end == 7 * kPage);
  mapping.data()[2 * kPage] = 1;
  CHECK(whole.lost().begin == 2 * kPage);
  CHECK(whole.lost().end == 7 * kPage);
  CHECK_FALSE(clear.poisoned());
  const PageWatch late = PageWatch::Over(mapping.data(), 16 * kPage);
  CHECK_FALSE(late.poisoned());  // what comes later starts clean: its owner asks the mapping
  CHECK(mapping.poisoned());
}

TEST_CASE("B34: eight threads fault in their own mappings at once") {
  constexpr size_t kThreads = 8;
  constexpr size_t kRounds = 20;
  std::vector<std::unique_ptr<Rig>> rigs;
  for (size_t i = 0; i < kThreads; i++) rigs.push_back(std::make_unique<Rig>(16 * kPage));
  std::vector<size_t> poisoned(kThreads), clean(kThreads);
  test::RunTogether(kThreads, [&](size_t index) {
    Rig& rig = *rigs[index];
    for (size_t round = 0; round < kRounds; round++) {
      rig.file.Truncate(16 * kPage);
      const Mapping whole = Map(rig, 0, 16 * kPage);
      std::vector<uint8_t> copy(16 * kPage);
      CopyBytes(copy.data(), whole.data(), copy.size());
      clean[index] += !whole.poisoned();
      rig.file.Truncate(kPage);
      CopyBytes(copy.data(), whole.data(), copy.size());
      poisoned[index] += whole.poisoned();
    }
  });
  CHECK(clean == std::vector<size_t>(kThreads, kRounds));
  CHECK(poisoned == std::vector<size_t>(kThreads, kRounds));
}

}  // namespace
}  // namespace blk
