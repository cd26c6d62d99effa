// Freeze points of overlays: snapshots, reverts, other bases, and what has changed; each against a flat array.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "core/medium/host_medium.h"
#include "core/medium/memory_medium.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/overlay_rig.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::AllOf;
using test::Call;
using test::ChangeSomething;
using test::DiffOf;
using test::FakeHost;
using test::FilledBase;
using test::ForEachSetting;
using test::FreshModel;
using test::kSize;
using test::Over;
using test::Pattern;
using test::TempFile;
using test::Wanted;

using Bytes = std::vector<uint8_t>;
using Opened = test::OpenedOverlay;

TEST_CASE("overlay: it goes back to any of its snapshots, in any order, and they stay as they were") {
  ForEachSetting([](const OverlaySetting& setting) {
    Opened overlay(Over(FilledBase()), setting);
    std::mt19937 random(3);
    Bytes model = FreshModel();
    std::vector<std::pair<OverlaySnapshot, Bytes>> taken;
    for (int round = 0; round < 30; round++) {
      for (int i = 0; i < 8; i++) REQUIRE(ChangeSomething(random, *overlay.channel, model, 0, kSize));
      if (taken.size() < 5 || random() % 3 == 0) {
        auto snapshot = overlay.store->Snapshot();
        REQUIRE(snapshot.ok());
        taken.emplace_back(snapshot.Take(), model);
        continue;
      }
      const auto& [snapshot, then] = taken[random() % taken.size()];
      REQUIRE(overlay.store->Revert(snapshot).ok());
      model = then;
      REQUIRE(AllOf(*overlay.channel) == model);
    }
    CHECK(overlay.store->Reset().ok());
    CHECK(AllOf(*overlay.channel) == FreshModel());
    for (const auto& [snapshot, then] : taken) {
      REQUIRE(overlay.store->Revert(snapshot).ok());
      REQUIRE(AllOf(*overlay.channel) == then);
    }
  });
}

TEST_CASE("overlay: a snapshot of what has not changed costs no layer") {
  FakeHost host;
  OverlaySetting setting = Opened::WithSize();
  setting.delta = {&host, std::filesystem::temp_directory_path().string()};
  Opened overlay(Over(FilledBase()), setting);
  for (int i = 0; i < 10; i++) CHECK(overlay.store->Snapshot().ok());
  CHECK(host.open_descriptors() == 1);
  const Bytes ones(100, 1);
  REQUIRE(overlay.channel->Write({0}, ones.data(), ones.size(), {}).status.ok());
  host.Fail(Call::kOpenUnnamed, EMFILE);
  CHECK(overlay.store->Snapshot().status().err == EMFILE);
  for (int i = 0; i < 10; i++) CHECK(overlay.store->Snapshot().ok());
  CHECK(host.open_descriptors() == 2);
  Bytes back(100);
  CHECK(overlay.channel->Read({0}, back.data(), back.size(), {}).status.ok());
  CHECK(back == ones);
}

TEST_CASE("overlay: thousands of snapshots on one another end without running out of stack") {
  FakeHost host;
  Opened overlay(Over(FilledBase()));
  const Bytes one(1, 1);
  for (uint64_t i = 0; i < 3000; i++) {
    REQUIRE(overlay.channel->Write({i}, one.data(), 1, {}).status.ok());
    REQUIRE(overlay.store->Snapshot().ok());
  }
  Bytes back(3000);
  CHECK(overlay.channel->Read({0}, back.data(), back.size(), {}).status.ok());
  CHECK(back == Bytes(3000, 1));
}

TEST_CASE("overlay: over another base it reads as before if that is safe, else as the new one where it is the base") {
  ForEachSetting([](const OverlaySetting& setting) {
    const auto other = MemoryMedium::CreateStore(kSize, "other", 512).Take();
    const auto theirs = Pattern(0, kSize, 99);
    std::memcpy(other->memory.data(), theirs.data(), kSize);
    for (const bool safe : {true, false}) {
      Opened overlay(Over(FilledBase()), setting);
      std::mt19937 random(9);
      Bytes model = FreshModel();
      for (int i = 0; i < 10; i++) REQUIRE(ChangeSomething(random, *overlay.channel, model, 0, kSize));
      const auto snapshot = overlay.store->Snapshot();
      for (int i = 0; i < 10; i++) REQUIRE(ChangeSomething(random, *overlay.channel, model, 0, kSize));
      const auto changed = DiffOf(*overlay.store, false);
      CHECK(overlay.store->Rebase(Over(other), safe).ok());
      CHECK(overlay.store->Revert(snapshot.value()).err == ESTALE);
      if (!safe) {
        Bytes mixed = theirs;
        for (const MediumExtent& extent : changed) {
          const auto at = static_cast<ptrdiff_t>(extent.at.value), size = static_cast<ptrdiff_t>(extent.size);
          std::copy(model.begin() + at, model.begin() + at + size, mixed.begin() + at);
        }
        model = mixed;
      }
      CHECK(AllOf(*overlay.channel) == model);
    }
  });
}

TEST_CASE("overlay: a base that cannot be had, or read, leaves it over the one that it has") {
  FakeHost host;
  const TempFile file(kSize);
  file.Fill(1);
  Opened overlay(Over(FilledBase()));
  const auto open = [&] { return OverlayBase(HostMedium::Create(host, file.path()).Take(), {0}, kSize); };
  host.FailAlways(Call::kPread, EIO);
  CHECK(overlay.store->Rebase(open(), true).err == EIO);
  host.Heal();
  const auto writer = HostMedium::Create(host, file.path()).Take();
  REQUIRE(writer->Attach(Wanted(true, kSize)).ok());
  CHECK(overlay.store->Rebase(open(), false).err == EBUSY);
  CHECK(writer->Detach(Wanted(true, kSize)).ok());
  CHECK(writer->Close().ok());
  CHECK(AllOf(*overlay.channel) == FreshModel());
  CHECK(host.open_descriptors() == 0);
}

TEST_CASE("overlay: what has changed is told by blocks, exactly only where the bytes are not the base's") {
  ForEachSetting([](const OverlaySetting& setting) {
    Opened overlay(Over(FilledBase()), setting);
    std::mt19937 random(4);
    Bytes model = FreshModel();
    const Bytes base = FreshModel();
    for (int i = 0; i < 30; i++) REQUIRE(ChangeSomething(random, *overlay.channel, model, 0, kSize));
    // Written, and the same as before.
    REQUIRE(overlay.channel->Write({0}, base.data(), 8192, {}).status.ok());
    std::copy_n(base.begin(), 8192, model.begin());
    std::vector<bool> told(kSize), exactly(kSize);
    for (const bool exact : {false, true}) {
      uint64_t before = 0;
      for (const MediumExtent& extent : DiffOf(*overlay.store, exact)) {
        REQUIRE(extent.at.value >= before);
        before = extent.at.value + extent.size;
        REQUIRE(before <= kSize);
        auto& marks = exact ? exactly : told;
        std::fill_n(marks.begin() + static_cast<ptrdiff_t>(extent.at.value), extent.size, true);
      }
    }
    for (uint64_t block = 0; block < kSize; block += setting.block) {
      const auto size = static_cast<ptrdiff_t>(std::min(setting.block, kSize - block));
      const auto at = static_cast<ptrdiff_t>(block);
      const bool same = std::equal(model.begin() + at, model.begin() + at + size, base.begin() + at);
      REQUIRE(exactly[block] == !same);
      if (!same) REQUIRE(told[block]);
    }
    CHECK(told[0]);
    CHECK(DiffOf(*overlay.store, true, 1).size() == DiffOf(*overlay.store, true, 1000).size());
  });
}

TEST_CASE("overlay: snapshots, reverts and commits under writers are moments, which nobody sees the inside of") {
  constexpr size_t kPart = 128 * 1024;
  const auto store = MemoryMedium::CreateStore(kSize, "base", 512).Take();
  Opened overlay(OverlayBase(std::make_unique<MemoryMedium>(store), {0}, kSize));
  std::atomic<bool> ended{false};
  std::atomic<int> mixed{0}, rounds{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      const uint64_t at = static_cast<uint64_t>(t) * kPart;
      Bytes bytes(kPart), back(kPart);
      for (uint8_t value = 1; !ended; value++) {
        std::fill(bytes.begin(), bytes.end(), value);
        if (!overlay.channel->Write({at}, bytes.data(), kPart, {}).status.ok()) mixed++;
        if (!overlay.channel->Read({at}, back.data(), kPart, {}).status.ok()) mixed++;
        if (std::count(back.begin(), back.end(), back[0]) != kPart) mixed++;
        rounds++;
      }
    });
  }
  std::mt19937 random(6);
  auto snapshot = overlay.store->Snapshot().Take();
  while (rounds < 400) {
    switch (random() % 4) {
      case 0: snapshot = overlay.store->Snapshot().Take(); break;
      case 1: CHECK(overlay.store->Reset().ok()); break;
      case 2: {
        const Status reverted = overlay.store->Revert(snapshot);
        if (!reverted.ok() && reverted.err != ESTALE) mixed++;
        break;
      }
      case 3:
        if (!overlay.store->Commit(nullptr).ok()) mixed++;
        break;
    }
  }
  ended = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(mixed == 0);
}

}  // namespace
}  // namespace blk
