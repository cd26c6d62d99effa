// Overlays against a model: a flat array. Blocks of 512, 4096 and 65536 bytes, deltas in memory and in a file, a base
// that is shorter than the overlay and none of whose bytes ever change.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "core/medium/late_medium.h"
#include "core/medium/memory_medium.h"
#include "test/support/check.h"
#include "test/support/overlay_rig.h"

namespace blk {
namespace {

using test::AllOf;
using test::ChangeSomething;
using test::FilledBase;
using test::ForEachSetting;
using test::FreshModel;
using test::kBase;
using test::kSize;
using test::Over;
using test::Pattern;
using test::Wanted;

TEST_CASE("overlay: it reads as its base, with zeros behind the base's end") {
  ForEachSetting([](const OverlaySetting& setting) {
    const auto store = FilledBase();
    OverlayMedium overlay(OverlayStore::Create(Over(store), "overlay", setting).Take());
    CHECK(overlay.size() == std::optional(kSize));
    const auto channel = overlay.Attach(Wanted(true, kSize)).Take();
    CHECK(AllOf(*channel) == FreshModel());
    CHECK(overlay.Detach(Wanted(true, kSize)).ok());
  });
}

TEST_CASE("overlay: random writes and zeros read back as from a flat array, and the base stays") {
  ForEachSetting([](const OverlaySetting& setting) {
    const auto store = FilledBase();
    const auto overlay = OverlayStore::Create(Over(store), "overlay", setting).Take();
    OverlayMedium medium(overlay);
    const auto channel = medium.Attach(Wanted(true, kSize)).Take();
    std::mt19937 random(1);
    auto model = FreshModel();
    for (int round = 0; round < 3; round++) {
      for (int i = 0; i < 120; i++) REQUIRE(ChangeSomething(random, *channel, model, 0, kSize));
      REQUIRE(AllOf(*channel) == model);
      CHECK(overlay->Reset().ok());
      model = FreshModel();
      REQUIRE(AllOf(*channel) == model);
    }
    const auto bytes = Pattern(0, kBase, 7);
    CHECK(std::memcmp(store->memory.data(), bytes.data(), bytes.size()) == 0);
    CHECK(medium.Detach(Wanted(true, kSize)).ok());
  });
}

// Ranges that share blocks, and no byte: what one thread writes beside another in the same block must stay.
TEST_CASE("overlay: threads that write side by side in the same blocks lose nothing of each other's") {
  ForEachSetting([](const OverlaySetting& setting) {
    constexpr size_t kThreads = 8;
    constexpr uint64_t kStripe = 1000, kStripes = kSize / kStripe;
    const auto overlay = OverlayStore::Create(Over(FilledBase()), "overlay", setting).Take();
    OverlayMedium medium(overlay);
    const auto channel = medium.Attach(Wanted(true, kSize)).Take();
    for (unsigned round = 0; round < 4; round++) {
      auto model = FreshModel();
      std::atomic<int> failed{0};
      std::vector<std::thread> threads;
      for (size_t t = 0; t < kThreads; t++) {
        threads.emplace_back([&, t] {
          std::mt19937 random(static_cast<unsigned>(t) + round * 100);
          std::vector<uint8_t> back(kStripe);
          for (int i = 0; i < 200; i++) {
            const uint64_t from = (random() % (kStripes / kThreads) * kThreads + t) * kStripe;
            if (!ChangeSomething(random, *channel, model, from, from + kStripe)) failed++;
            // Its own bytes, while others write beside them.
            if (!channel->Read({from}, back.data(), kStripe, {}).status.ok()) failed++;
            if (!std::equal(back.begin(), back.end(), model.begin() + static_cast<ptrdiff_t>(from))) failed++;
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      CHECK(failed == 0);
      REQUIRE(AllOf(*channel) == model);
      CHECK(overlay->Reset().ok());
    }
    CHECK(medium.Detach(Wanted(true, kSize)).ok());
  });
}

TEST_CASE("overlay: a reset under way changes all of it at once for those who read and write") {
  const auto store = MemoryMedium::CreateStore(kSize, "base", 512).Take();
  std::memset(store->memory.data(), 1, kSize);
  const auto overlay = OverlayStore::Create(Over(store), "overlay", {}).Take();
  OverlayMedium medium(overlay);
  const auto channel = medium.Attach(Wanted(true, kSize)).Take();
  std::atomic<bool> ended{false};
  std::atomic<int> mixed{0}, rounds{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      // Each its own quarter, in one write: it reads as the base or as written, never as a part of both.
      constexpr size_t kPart = 256 * 1024;
      const uint64_t at = static_cast<uint64_t>(t) * kPart;
      const std::vector<uint8_t> twos(kPart, 2);
      std::vector<uint8_t> back(kPart);
      while (!ended) {
        if (!channel->Write({at}, twos.data(), kPart, {}).status.ok()) mixed++;
        if (!channel->Read({at}, back.data(), kPart, {}).status.ok()) mixed++;
        const auto ones = std::count(back.begin(), back.end(), 1), written = std::count(back.begin(), back.end(), 2);
        if (ones != kPart && written != kPart) mixed++;
        rounds++;
      }
    });
  }
  while (rounds < 400) CHECK(overlay->Reset().ok());
  ended = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(mixed == 0);
  CHECK(medium.Detach(Wanted(true, kSize)).ok());
}

TEST_CASE("overlay: what is discarded is zeros in whole blocks, and never the base again") {
  ForEachSetting([](const OverlaySetting& setting) {
    OverlayMedium medium(OverlayStore::Create(Over(FilledBase()), "overlay", setting).Take());
    const auto channel = medium.Attach(Wanted(true, kSize)).Take();
    auto model = FreshModel();
    const uint64_t from = 1000, end = 400'000;
    REQUIRE(channel->Discard({from}, end - from, {}).status.ok());
    const auto first = static_cast<ptrdiff_t>(AlignUp(from, setting.block));
    const auto last = static_cast<ptrdiff_t>(AlignDown(end, setting.block));
    std::fill(model.begin() + first, model.begin() + last, uint8_t{0});
    CHECK(AllOf(*channel) == model);
    // A part of a block that is zeros: the rest of it stays zeros.
    const auto bytes = Pattern(0, 300, 3);
    REQUIRE(channel->Write({131'172}, bytes.data(), bytes.size(), {}).status.ok());
    std::copy(bytes.begin(), bytes.end(), model.begin() + 131'172);
    CHECK(AllOf(*channel) == model);
    // The last block, which the end of the disk cuts.
    REQUIRE(channel->Discard({kSize - 512}, 512, {}).status.ok());
    CHECK(medium.Detach(Wanted(true, kSize)).ok());
  });
}

TEST_CASE("overlay: its extents are those of its layers, and the base's behind them") {
  OverlaySetting setting;
  setting.size = kSize;
  OverlayMedium medium(OverlayStore::Create(Over(FilledBase()), "overlay", setting).Take());
  const auto channel = medium.Attach(Wanted(true, kSize)).Take();
  const auto ones = std::vector<uint8_t>(4096, 1);
  REQUIRE(channel->Write({8192}, ones.data(), 4096, {}).status.ok());
  REQUIRE(channel->Zero({16384}, 8192, {}).status.ok());
  std::array<MediumExtent, 16> found;
  auto count = channel->Extents({{100}, {kSize}}, ExtentLayer::kTop, found, {}).value();
  REQUIRE(count == 5);
  const ExtentType top[] = {ExtentType::kUnallocated, ExtentType::kData, ExtentType::kUnallocated, ExtentType::kHole,
                            ExtentType::kUnallocated};
  uint64_t at = 100;
  for (size_t i = 0; i < count; i++) {
    CHECK(found[i].type == top[i]);
    CHECK(found[i].at.value == at);
    at += found[i].size;
  }
  CHECK(at == kSize);
  count = channel->Extents({{0}, {kSize}}, ExtentLayer::kAll, found, {}).value();
  // What a memory medium lists is its own affair: the depth tells whose it is.
  at = 0;
  for (size_t i = 0; i < count; i++) {
    const bool own = (at >= 8192 && at < 12288) || (at >= 16384 && at < 24576);
    CHECK(found[i].depth == (own ? 0u : 1u));
    CHECK(found[i].at.value == at);
    at += found[i].size;
  }
  CHECK(at == kSize);
  CHECK(found[count - 1].type == ExtentType::kHole);
  CHECK(medium.Detach(Wanted(true, kSize)).ok());
}

TEST_CASE("overlay: over a medium that answers late, and over an overlay") {
  const auto store = FilledBase();
  const auto answers = std::make_shared<LateAnswers>(std::chrono::microseconds(50), 1);
  auto late = std::make_unique<LateMedium>(std::make_unique<MemoryMedium>(store), answers);
  OverlaySetting setting;
  setting.size = kSize;
  const auto lower = OverlayStore::Create(OverlayBase(std::move(late), {0}, kBase), "lower", setting).Take();
  const auto upper =
      OverlayStore::Create(OverlayBase(std::make_unique<OverlayMedium>(lower), {0}, kSize), "upper", {}).Take();
  OverlayMedium medium(upper);
  const auto channel = medium.Attach(Wanted(true, kSize)).Take();
  std::mt19937 random(5);
  auto model = FreshModel();
  for (int i = 0; i < 60; i++) REQUIRE(ChangeSomething(random, *channel, model, 0, kSize));
  CHECK(AllOf(*channel) == model);
  CHECK(OverlayMedium(lower).Attach(Wanted(true, kSize)).status().err == EBUSY);
  CHECK(upper->Reset().ok());
  CHECK(AllOf(*channel) == FreshModel());
  CHECK(medium.Detach(Wanted(true, kSize)).ok());
}

TEST_CASE("overlay: with its last user go the base and what was written, whoever still has the store") {
  const auto store = FilledBase();
  const auto overlay = OverlayStore::Create(Over(store), "overlay", {}).Take();
  MemoryMedium writer(store);
  OverlayMedium first(overlay);
  {
    OverlayMedium second(overlay);
    CHECK(second.Close().ok());
  }
  CHECK(overlay->Leave().ok());
  CHECK(writer.Attach(Wanted(true, kBase)).status().err == EBUSY);
  std::vector<uint8_t> bytes(512);
  CHECK(first.Read({0}, bytes.data(), bytes.size()).ok());
  CHECK(first.Close().ok());
  CHECK(writer.Attach(Wanted(true, kBase)).ok());
  CHECK(writer.Detach(Wanted(true, kBase)).ok());
  OverlayMedium late(overlay);
  CHECK(late.Read({0}, bytes.data(), bytes.size()).err == EBADF);
  const auto channel = late.Attach(Wanted(true, kBase)).Take();
  CHECK(channel->Write({0}, bytes.data(), bytes.size(), {}).status.err == EBADF);
  CHECK(late.Detach(Wanted(true, kBase)).ok());
}

}  // namespace
}  // namespace blk
