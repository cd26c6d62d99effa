// Power cuts of a qcow2 image that is written: whatever of the writes since the last sync reached the disk, qemu-img
// finds nothing worse than leaks, and what was flushed and not touched since is there.
#include <random>
#include <string>
#include <vector>

#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/qcow2.h"
#include "test/support/qemu.h"
#include "test/support/recorder.h"

namespace blk {
namespace {

using test::CheckImage;
using test::GetFile;
using test::HasQemu;
using test::Pattern;
using test::PutFile;
using test::RecorderMedium;
using test::Recording;
using test::Run;
using test::TempFile;
using test::Writing;

constexpr uint64_t kSize = 3 << 20;
// Under a sanitizer each step takes ten times as long: a part of them is enough there, as the plain program does all.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSeeds = 1;
#else
constexpr uint64_t kSeeds = 8;
#endif
constexpr uint64_t kBlock = 512;  // bytes that are flushed or not together

// What a disk may hold after a cut: of each block what was flushed, or anything that was written to it since.
struct Promise {
  std::vector<uint8_t> flushed;
  std::vector<uint8_t> now;
  std::vector<bool> touched;  // since the flush, by block
};

void Touch(Promise& promise, uint64_t at, uint64_t size) {
  for (uint64_t block = at / kBlock; block <= (at + size - 1) / kBlock; block++) promise.touched[block] = true;
}

void CheckCut(test::FakeHost& host, const Recording& recording, const Promise& promise, const std::string& path,
              std::mt19937_64& random) {
  PutFile(path, recording.Cut(random));
  const auto check = CheckImage(path);
  // 3: leaks.
  if (check.code != 0 && check.code != 3) FAIL("qemu-img check " << check.code << ": " << check.output.substr(0, 2000));
  const auto medium = test::OpenQcow2(host, path);
  std::vector<uint8_t> found(kSize);
  REQUIRE(medium->Read({0}, found.data(), kSize).ok());
  for (uint64_t i = 0; i < kSize; i++) {
    if (promise.touched[i / kBlock] || found[i] == promise.flushed[i]) continue;
    FAIL("byte " << i << " was flushed, and is gone");
  }
}

// Writes at random, and cuts the power now and then. -> how often.
int WriteAndCut(const std::string& options, uint64_t seed) {
  test::FakeHost host;
  const TempFile folder(0), base(kSize - 100 * 512);
  base.Fill(3);
  const std::string path = folder.Sibling("image.qcow2");
  std::string with = options;
  const size_t at = with.find("{base}");
  if (at != std::string::npos) with.replace(at, 6, base.path());
  REQUIRE(Run("qemu-img create -q -f qcow2 " + with + " " + path + " 3M").code == 0);
  const auto recording = std::make_shared<Recording>();
  recording->now = GetFile(path);
  recording->Sync();
  auto opened = OpenImage(host, std::make_unique<RecorderMedium>(recording), ImageFormat::kQcow2);
  REQUIRE(opened.ok());
  const auto medium = opened.Take();
  auto channel = medium->Attach(Writing());
  REQUIRE(channel.ok());

  std::mt19937_64 random(seed);
  Promise promise;
  promise.now = promise.flushed = test::ReadAll(*channel.value(), kSize);
  promise.touched.resize(kSize / kBlock);
  int cuts = 0;
  for (int i = 0; i < 60; i++) {
    const uint64_t grain = std::array<uint64_t, 3>{1, 512, 4096}[random() % 3];
    const uint64_t where = random() % kSize / grain * grain;
    const size_t size = std::min<uint64_t>(std::max<uint64_t>(1, random() % 30000 / grain * grain), kSize - where);
    test::Step(*channel.value(), promise.now, where, size, static_cast<int>(random() % 12),
               seed + static_cast<uint64_t>(i));
    Touch(promise, where, size);
    if (random() % 6 == 0) {
      REQUIRE(channel.value()->Sync().ok());
      promise.flushed = promise.now;
      promise.touched.assign(promise.touched.size(), false);
    }
    if (random() % 12 == 0) {
      CheckCut(host, *recording, promise, folder.Sibling("cut.qcow2"), random);
      cuts++;
    }
  }
  channel.value().reset();
  REQUIRE(medium->Detach(Writing()).ok());
  CheckCut(host, *recording, promise, folder.Sibling("cut.qcow2"), random);
  return cuts + 1;
}

TEST_CASE("qcow2 power: cuts at any moment leave leaks at most, and all that was flushed") {
  if (!HasQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  int cuts = 0;
  for (const std::string options :
       {"-o cluster_size=64k", "-o cluster_size=512,refcount_bits=64", "-o extended_l2=on,cluster_size=128k",
        "-b {base} -F raw -o backing_fmt=raw", "-b {base} -F raw -o extended_l2=on,cluster_size=128k",
        "-b {base} -F raw -o cluster_size=4k"}) {
    INFO("options " << options);
    for (uint64_t seed = 1; seed <= kSeeds; seed++) cuts += WriteAndCut(options, seed);
  }
  CHECK(cuts >= static_cast<int>(20 * kSeeds));
}

}  // namespace
}  // namespace blk
