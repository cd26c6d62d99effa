// B34: what the guard does inside watched mappings. What it does about others' signals is in page_guard_signal_test.cc.
#include "core/host/page_guard.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "core/host/copy.h"
#include "core/host/mapping.h"
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

TEST_CASE("slots are used again") {
  uint8_t memory[2];
  GuardSlot* slot = GuardMapping(&memory[0], 1);
  REQUIRE(slot != nullptr);
  UnguardMapping(slot);
  GuardSlot* again = GuardMapping(&memory[1], 1);
  CHECK(again == slot);
  UnguardMapping(again);
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
