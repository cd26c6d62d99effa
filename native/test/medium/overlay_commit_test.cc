// Commits of overlays: all that has changed goes into the base, or stays in the overlay until it can.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <vector>

#include "core/medium/host_medium.h"
#include "core/medium/memory_medium.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/overlay_rig.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::Call;
using test::ChangeSomething;
using test::DiffOf;
using test::FakeHost;
using test::FilledBase;
using test::ForEachSetting;
using test::FreshModel;
using test::kBase;
using test::Over;
using test::Pattern;
using test::TempFile;
using test::Wanted;

using Bytes = std::vector<uint8_t>;
using Opened = test::OpenedOverlay;

TEST_CASE("overlay: a commit puts all that has changed into the base, also what lies in snapshots, and goes on empty") {
  ForEachSetting([](OverlaySetting setting) {
    const auto store = FilledBase();
    Bytes wanted;
    {
      setting.size.reset();
      const auto overlay = OverlayStore::Create(Over(store), "overlay", setting).Take();
      OverlayMedium medium(overlay);
      const auto channel = medium.Attach(Wanted(true, kBase)).Take();
      std::mt19937 random(8);
      Bytes model = FreshModel();
      for (int i = 0; i < 40; i++) REQUIRE(ChangeSomething(random, *channel, model, 0, kBase));
      const auto snapshot = overlay->Snapshot();
      for (int i = 0; i < 40; i++) REQUIRE(ChangeSomething(random, *channel, model, 0, kBase));
      const auto written = overlay->Commit(nullptr);
      REQUIRE(written.ok());
      CHECK(written.value() > 0);
      model.resize(kBase);
      wanted = model;
      Bytes back(kBase);
      CHECK(channel->Read({0}, back.data(), back.size(), {}).status.ok());
      CHECK(back == wanted);
      CHECK(DiffOf(*overlay, false).empty());
      // It spoke of the old base.
      CHECK(overlay->Revert(snapshot.value()).err == ESTALE);
      const auto again = overlay->Commit(nullptr);
      CHECK(again.value() == 0);
      CHECK(medium.Detach(Wanted(true, kBase)).ok());
    }
    CHECK(std::memcmp(store->memory.data(), wanted.data(), wanted.size()) == 0);
  });
}

TEST_CASE("overlay: a commit that is interrupted anywhere leaves the overlay as it was, and can be made again") {
  bool failed_at_its_end = false;
  for (uint64_t pass = 0; pass < 14; pass++) {
    FakeHost host;
    const TempFile file(kBase);
    Bytes wanted(kBase);
    {
      const auto overlay =
          OverlayStore::Create(OverlayBase(HostMedium::Create(host, file.path()).Take(), {0}, kBase), "overlay", {})
              .Take();
      OverlayMedium medium(overlay);
      const auto channel = medium.Attach(Wanted(true, kBase)).Take();
      for (const uint64_t at : {uint64_t{100}, uint64_t{70'000}, uint64_t{300'000}, kBase - 600}) {
        const Bytes bytes = Pattern(at, 600, at);
        REQUIRE(channel->Write({at}, bytes.data(), bytes.size(), {}).status.ok());
        std::copy(bytes.begin(), bytes.end(), wanted.begin() + static_cast<ptrdiff_t>(at));
      }
      if (pass < 4) host.Fail(Call::kPwrite, EIO, pass);
      if (pass == 4) host.Fail(Call::kFdatasync, EIO);
      if (pass == 5) host.Fail(Call::kReopen, EIO);
      // What writes takes its locks, and gives them back at its end.
      if (pass >= 6) host.Fail(Call::kLock, EIO, pass - 6);
      const auto committed = overlay->Commit(nullptr);
      CHECK((committed.status().err == EIO || pass > 6));
      host.Heal();
      if (committed.ok()) break;
      failed_at_its_end |= pass >= 6 && file.Read(0, kBase) == wanted;
      std::atomic<bool> cancel{true};
      CHECK(overlay->Commit(&cancel).status().err == ECANCELED);
      Bytes back(kBase);
      CHECK(channel->Read({0}, back.data(), back.size(), {}).status.ok());
      CHECK(back == wanted);
      CHECK(overlay->Commit(nullptr).ok());
      CHECK(channel->Read({0}, back.data(), back.size(), {}).status.ok());
      CHECK(back == wanted);
      CHECK(medium.Detach(Wanted(true, kBase)).ok());
    }
    CHECK(file.Read(0, kBase) == wanted);
    CHECK(host.open_descriptors() == 0);
    CHECK(host.misuses() == 0);
  }
  CHECK(failed_at_its_end);
}

TEST_CASE("overlay: no commit while another one has the base, nor of what has no place in it") {
  const auto store = FilledBase();
  Opened overlay(Over(store));
  const Bytes ones(100, 1);
  REQUIRE(overlay.channel->Write({kBase - 50}, ones.data(), ones.size(), {}).status.ok());
  {
    const Opened other(Over(store));
    CHECK(overlay.store->Commit(nullptr).status().err == EBUSY);
  }
  CHECK(overlay.store->Commit(nullptr).status().err == ENOSPC);
  const auto base = Pattern(0, kBase, 7);
  CHECK(std::memcmp(store->memory.data(), base.data(), base.size()) == 0);
  // Zeros need none.
  REQUIRE(overlay.channel->Zero({kBase}, 50, {}).status.ok());
  CHECK(overlay.store->Commit(nullptr).ok());
  CHECK(std::memcmp(store->memory.data() + kBase - 50, ones.data(), 50) == 0);
}

}  // namespace
}  // namespace blk
