// Overlays in qcow2 images, at random and beside a model: requests, freeze points, requests during those, and disks
// that fail. QEMU's programs judge the images where they are there.
#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/image/qcow2_create.h"
#include "core/image/qcow2_overlay.h"
#include "core/medium/overlay_medium.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/qcow2.h"
#include "test/support/qemu.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::Call;
using test::FakeHost;
using test::GetFile;
using test::Pattern;
using test::TempFile;

constexpr uint64_t kBase = 2 * 1024 * 1024 + 512 * 7;

struct Kind {
  unsigned cluster_bits;
  bool extended;
};
const std::vector<Kind> kKinds = {{17, true}, {14, true}, {16, false}, {12, false}};

void MakeImage(HostIo& host, const std::string& path, const std::string& base, const Kind& kind, uint64_t size) {
  test::PutFile(path, {});
  auto file = HostMedium::Create(host, path);
  REQUIRE(file.ok());
  REQUIRE(CreateQcow2(*file.value(), {size, kind.cluster_bits, kind.extended, base, "raw"}).ok());
  REQUIRE(file.value()->Close().ok());
}

Result<std::shared_ptr<Qcow2Overlay>> OpenOverlay(HostIo& host, const std::string& path, const std::string& base) {
  auto below = HostMedium::Create(host, base);
  REQUIRE(below.ok());
  Qcow2OverlaySetting setting;
  setting.name = path;
  setting.base = below.value()->identity();
  REQUIRE(below.value()->Close().ok());
  auto file = HostMedium::Create(host, path);
  REQUIRE(file.ok());
  return Qcow2Overlay::Open(host, file.Take(), setting);
}

// An overlay with a channel, as an open has it.
struct Opened {
  Opened(HostIo& host, const std::string& path, const std::string& base)
      : store(OpenOverlay(host, path, base).Take()), channel(store->MakeChannel(store)) {}
  ~Opened() {
    if (store) CHECK(store->Leave().ok());
  }
  std::shared_ptr<Qcow2Overlay> store;
  std::unique_ptr<Channel> channel;
};

void CheckAll(Channel& channel, const std::vector<uint8_t>& model) {
  const auto found = test::ReadAll(channel, model.size());
  if (found == model) return;
  for (size_t i = 0; i < model.size(); i++) {
    if (found[i] != model[i]) FAIL("byte " << i << " is " << int{found[i]} << ", not " << int{model[i]});
  }
}

void CheckFile(const std::string& path) {
  if (!test::HasQemu()) return;
  const auto check = test::CheckImage(path);
  if (check.code != 0) FAIL("qemu-img check " << check.code << ": " << check.output.substr(0, 2000));
}

// diff() lists every sector that differs; `base` may be shorter, and is zeros behind its end.
void CheckDiff(Qcow2Overlay& store, const std::vector<uint8_t>& model, std::vector<uint8_t> base) {
  constexpr size_t kSector = 512;
  base.resize(model.size());
  for (const bool exact : {false, true}) {
    std::vector<bool> listed(model.size() / kSector);
    for (uint64_t at = 0; at < store.size;) {
      std::vector<MediumExtent> some(3);
      const auto changed = store.Diff(at, exact, some);
      REQUIRE(changed.ok());
      REQUIRE(changed.value().next > at);
      at = changed.value().next;
      for (size_t i = 0; i < changed.value().count; i++) {
        std::fill_n(listed.begin() + static_cast<ptrdiff_t>(some[i].at.value / kSector), some[i].size / kSector, true);
      }
    }
    for (size_t i = 0; i < listed.size(); i++) {
      const bool differs = std::memcmp(&model[i * kSector], &base[i * kSector], kSector) != 0;
      if (differs && !listed[i]) FAIL("sector " << i << " differs and is not listed, exact " << exact);
    }
  }
}

TEST_CASE("qcow2 overlay: requests and freeze points at random, as a model has them") {
  FakeHost host;
  host.KeepNoJournal();
  for (const Kind& kind : kKinds) {
    INFO("clusters of 2^" << kind.cluster_bits << (kind.extended ? " extended" : ""));
    const TempFile folder(0), base(kBase), other(kBase - 100 * 512);
    base.Fill(7);
    other.Fill(9);
    const std::string path = folder.Sibling("overlay.qcow2");
    MakeImage(host, path, base.path(), kind, kBase);
    std::vector<uint8_t> model = GetFile(base.path());
    std::string below = base.path();
    std::mt19937_64 random(kind.cluster_bits);
    for (int round = 0; round < 4; round++) {
      Opened overlay(host, path, below);
      CheckAll(*overlay.channel, model);
      for (int step = 0; step < 4; step++) {
        test::RandomSteps(*overlay.channel, model, random(), 15);
        CheckDiff(*overlay.store, model, GetFile(below));
        switch (random() % 4) {
          case 0:
            REQUIRE(overlay.store->Reset().ok());
            model = GetFile(below);
            model.resize(kBase);
            break;
          case 1: {
            const auto committed = overlay.store->Commit(nullptr);
            if (below == base.path()) {
              REQUIRE(committed.ok());
              REQUIRE(GetFile(below) == model);
            } else if (!committed.ok()) {
              // The other base is shorter.
              REQUIRE(committed.status().err == ENOSPC);
            }
            break;
          }
          case 2: {
            const std::string next = below == base.path() ? other.path() : base.path();
            REQUIRE(overlay.store->Rebase(HostMedium::Create(host, next).Take(), next, true).ok());
            below = next;
            break;
          }
          default: break;
        }
        CheckAll(*overlay.channel, model);
      }
      REQUIRE(overlay.store->Leave().ok());
      overlay.store.reset();
      CheckFile(path);
    }
  }
  CHECK(host.open_descriptors() == 0);
  CHECK(host.misuses() == 0);
}

TEST_CASE("qcow2 overlay: requests go on while others commit and rebase") {
  FakeHost host;
  host.KeepNoJournal();
  const TempFile folder(0), base(kBase), other(kBase);
  base.Fill(7);
  other.Fill(9);
  const std::string path = folder.Sibling("overlay.qcow2");
  MakeImage(host, path, base.path(), kKinds[0], kBase);
  {
    Opened overlay(host, path, base.path());
    std::vector<uint8_t> model = GetFile(base.path());
    std::thread changes([&] {
      for (int i = 0; i < 12; i++) {
        const std::string& next = i % 2 == 0 ? other.path() : base.path();
        test::Must(overlay.store->Commit(nullptr).ok(), "commit");
        test::Must(overlay.store->Rebase(HostMedium::Create(host, next).Take(), next, true).ok(), "rebase");
      }
    });
    test::RandomSteps(*overlay.channel, model, 4, 200);
    changes.join();
    CheckAll(*overlay.channel, model);
    REQUIRE(overlay.store->Commit(nullptr).ok());
    CHECK(GetFile(base.path()) == model);
  }
  CheckFile(path);
}

TEST_CASE("qcow2 overlay: what fails leaves the overlay as it was") {
  for (const Call call : {Call::kPwrite, Call::kFdatasync, Call::kPread, Call::kLock}) {
    int commits_failed = 0, rebases_failed = 0;
    for (int nth = 0; nth < 8; nth++) {
      INFO("call " << static_cast<int>(call) << " number " << nth);
      FakeHost host;
      host.KeepNoJournal();
      const TempFile folder(0), base(kBase), other(kBase);
      base.Fill(7);
      other.Fill(9);
      const std::string path = folder.Sibling("overlay.qcow2");
      MakeImage(host, path, base.path(), kKinds[0], kBase);
      std::vector<uint8_t> model = GetFile(base.path());
      {
        Opened overlay(host, path, base.path());
        test::RandomSteps(*overlay.channel, model, 5, 20);
        REQUIRE(overlay.channel->Sync().ok());
        host.Fail(call, EIO, nth, 1);
        const auto committed = overlay.store->Commit(nullptr);
        host.Heal();
        if (!committed.ok()) CHECK(committed.status().err == EIO);
        commits_failed += committed.ok() ? 0 : 1;
        CheckAll(*overlay.channel, model);
        // A sync of the image that has failed is told to the end.
        static_cast<void>(overlay.store->Leave());
        overlay.store.reset();
      }
      Opened again(host, path, base.path());
      CheckAll(*again.channel, model);
      REQUIRE(again.store->Commit(nullptr).ok());
      REQUIRE(GetFile(base.path()) == model);
      host.Fail(call, EIO, nth, 1);
      const Status rebased = again.store->Rebase(HostMedium::Create(host, other.path()).Take(), other.path(), true);
      host.Heal();
      if (!rebased.ok()) CHECK(rebased.err == EIO);
      rebases_failed += rebased.ok() ? 0 : 1;
      CheckAll(*again.channel, model);
      static_cast<void>(again.store->Leave());
      again.store.reset();
      CHECK(host.open_descriptors() == 0);
    }
    // Else nothing of this was tried.
    INFO("call " << static_cast<int>(call));
    CHECK(commits_failed > 0);
    CHECK(rebases_failed > 0);
  }
}

}  // namespace
}  // namespace blk
