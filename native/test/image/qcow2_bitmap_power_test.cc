// Power cuts of a qcow2 image with bitmaps, of ours and of QEMU's, at each step of their coming, being saved and going:
// qemu-img finds nothing worse than leaks, and no bitmap that says it is consistent says too little.
#include <map>
#include <random>
#include <string>
#include <vector>

#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/kept.h"
#include "test/support/qcow2.h"
#include "test/support/qemu.h"
#include "test/support/recorder.h"

namespace blk {
namespace {

using test::CheckImage;
using test::GetFile;
using test::HasQemu;
using test::Kept;
using test::PutFile;
using test::RecorderMedium;
using test::Recording;
using test::Run;
using test::TempFile;
using test::Writing;

constexpr uint64_t kSize = 2 << 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSeeds = 1;
#else
constexpr uint64_t kSeeds = 4;
#endif
constexpr uint64_t kBlock = 512;
constexpr int kSessions = 4;  // of which every second one makes no bitmap

using Bytes = std::vector<uint8_t>;

// An image on a disk whose power is cut, and by name of a bitmap what the disk had when that was empty the last time.
class Trial {
 public:
  Trial(const std::string& options, uint64_t seed) : folder_(0), random_(seed), recording_(new Recording) {
    const std::string path = folder_.Sibling("image.qcow2");
    const auto ran = Run("qemu-img create -q -f qcow2 " + options + " " + path + " 2M && qemu-img bitmap --add -g 4k " +
                         path + " qemu");
    if (ran.code != 0) FAIL(ran.output);
    baselines_["qemu"] = DiskOf(path);
    REQUIRE(Run("qemu-io -f qcow2 -c 'write 100k 9k' " + path).code == 0);
    recording_->now = GetFile(path);
    recording_->Sync();
  }

  void RunAll() {
    for (int session = 0; session < kSessions; session++) Session(session);
    recording_->step = {};
    CheckClean();
  }
  int cuts() const { return cuts_; }
  int clean() const { return clean_; }

 private:
  Bytes DiskOf(const std::string& path) {
    const auto medium = test::OpenQcow2(host_, path);
    auto reader = medium->Attach(Writing(false));
    REQUIRE(reader.ok());
    const Bytes disk = test::ReadAll(*reader.value(), kSize);
    reader.value().reset();
    REQUIRE(medium->Detach(Writing(false)).ok());
    return disk;
  }

  void Open() {
    auto opened = OpenImage(host_, std::make_unique<RecorderMedium>(recording_), ImageFormat::kQcow2);
    REQUIRE(opened.ok());
    medium_ = opened.Take();
    CutAtSteps(3);
    auto channel = medium_->Attach(Writing());
    REQUIRE(channel.ok());
    channel_ = channel.Take();
    recording_->step = {};
  }

  // From here on the power is cut at one of so many steps.
  void CutAtSteps(uint64_t of) {
    recording_->step = [this, of] {
      if (random_() % of == 0) CheckCut();
    };
  }

  std::shared_ptr<KeptChanges> MakeBitmap(int number, const Bytes& now) {
    CutAtSteps(2);
    made_ = number == 0 ? "ours" : std::string(random_() % 300 + 1, 'a');
    const auto kept = Kept(*medium_, made_, 9 + static_cast<unsigned>(random_() % 4));
    recording_->step = {};
    baselines_[made_] = now;
    return kept;
  }

  void Session(int number) {
    Open();
    Bytes now = test::ReadAll(*channel_, kSize);
    const std::shared_ptr<KeptChanges> kept = number % 2 == 0 ? MakeBitmap(number, now) : nullptr;
    for (int i = 0; i < 15; i++) {
      const uint64_t at = random_() % kSize;
      const size_t size = std::min<uint64_t>(1 + random_() % 30000, kSize - at);
      CutAtSteps(kept ? 12 : 4);
      test::Step(*channel_, now, at, size, static_cast<int>(random_() % 8), random_());
      recording_->step = {};
      if (kept && random_() % 6 == 0) {
        REQUIRE(kept->Clear().ok());
        baselines_[made_] = now;
      }
      if (random_() % 6 == 0) REQUIRE(channel_->Sync().ok());
    }
    CutAtSteps(2);
    if (number == kSessions - 1) {
      REQUIRE(medium_->RemoveKept(random_() % 2 == 0 ? "qemu" : "ours").value());
    }
    channel_.reset();
    REQUIRE(medium_->Detach(Writing()).ok());
    recording_->step = {};
    disk_ = now;
    medium_.reset();
  }

  // REQUIRES: recording_->mu is held, or nothing runs.
  void CheckCut() {
    cuts_++;
    CheckImageOf(recording_->Cut(random_), false);
  }

  void CheckClean() {
    recording_->Sync();
    const Bytes found = CheckImageOf(recording_->now, true);
    CHECK((found == disk_));
  }

  // -> the bytes of the disk.
  Bytes CheckImageOf(const Bytes& file, bool clean) {
    const std::string path = folder_.Sibling("cut.qcow2");
    PutFile(path, file);
    const auto check = CheckImage(path);
    if (check.code != 0 && check.code != 3) {
      FAIL("qemu-img check " << check.code << ": " << check.output.substr(0, 2000));
    }
    const Bytes disk = DiskOf(path);
    const auto medium = test::OpenQcow2(host_, path);
    auto reader = medium->Attach(Writing(false));
    REQUIRE(reader.ok());
    const auto list = medium->ListKept().value();
    auto writer = medium->Attach(Writing());
    REQUIRE(writer.ok());
    reader.value().reset();
    REQUIRE(medium->Detach(Writing(false)).ok());
    for (const KeptBitmap& bitmap : list) {
      if (clean) CHECK(bitmap.consistent);
      const auto kept = Kept(*medium, bitmap.name);
      CHECK(kept->consistent() == bitmap.consistent);
      if (!bitmap.consistent) CHECK(kept->map()->bytes() == kSize);
      if (bitmap.consistent) CheckMarks(*kept->map(), disk, baselines_.at(bitmap.name), bitmap.name);
    }
    writer.value().reset();
    REQUIRE(medium->Detach(Writing()).ok());
    return disk;
  }

  void CheckMarks(const ChangeMap& map, const Bytes& disk, const Bytes& baseline, const std::string& name) {
    clean_++;
    for (uint64_t at = 0; at < kSize; at += kBlock) {
      if (std::equal(&disk[at], &disk[at] + kBlock, &baseline[at])) continue;
      if (map.NextRun({at}).begin.value > at)
        FAIL("block at " << at << " has changed, and " << name << " says nothing");
    }
  }

  test::FakeHost host_;
  const TempFile folder_;
  std::mt19937_64 random_;
  const std::shared_ptr<Recording> recording_;
  std::map<std::string, Bytes> baselines_;
  std::string made_;  // the last one of ours
  Bytes disk_;
  std::unique_ptr<Medium> medium_;
  std::unique_ptr<Channel> channel_;
  int cuts_ = 0;
  int clean_ = 0;
};

TEST_CASE("bitmaps power: cuts at any step leave leaks at most, and no clean bitmap that says too little") {
  if (!HasQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  int cuts = 0, clean = 0;
  TempFile base(kSize - 1000);
  base.Fill(3);
  for (const std::string& options : {std::string("-o cluster_size=64k"), std::string("-o cluster_size=512"),
                                     "-F raw -o cluster_size=4k -b " + base.path()}) {
    INFO("options " << options);
    for (uint64_t seed = 1; seed <= kSeeds; seed++) {
      Trial trial(options, seed);
      trial.RunAll();
      cuts += trial.cuts();
      clean += trial.clean();
    }
  }
  INFO("cuts " << cuts << ", clean bitmaps " << clean);
  CHECK(cuts >= static_cast<int>(30 * kSeeds));
  CHECK(clean >= static_cast<int>(5 * kSeeds));
}

}  // namespace
}  // namespace blk
