// qcow2 images that we write, at random and beside a model; QEMU's programs make them, and judge what became of them.
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/qcow2.h"
#include "test/support/qemu.h"
#include "test/support/temp_file.h"

namespace blk {
namespace {

using test::CheckImage;
using test::GetFile;
using test::HasQemu;
using test::OpenQcow2;
using test::PutFile;
using test::RandomSteps;
using test::ReadAll;
using test::Run;
using test::Step;
using test::TempFile;
using test::Writing;

constexpr uint64_t kSize = 5 * 1024 * 1024 + 512;

// Options of `qemu-img create`; {base} is the path of a raw file with a pattern, shorter than the disk.
const std::vector<std::string> kImages = {
    "-o cluster_size=512",
    "-o cluster_size=512,refcount_bits=64",
    "-o cluster_size=4k,refcount_bits=1",
    "-o cluster_size=64k",
    "-o cluster_size=2M",
    "-o cluster_size=64k,lazy_refcounts=on",
    "-o extended_l2=on,cluster_size=128k",
    "-o extended_l2=on,cluster_size=16k",
    "-o cluster_size=64k,preallocation=metadata",
    "-b {base} -F raw",
    "-b {base} -F raw -o cluster_size=512",
    "-b {base} -F raw -o extended_l2=on,cluster_size=128k",
    "-b {base} -F raw -o extended_l2=on,cluster_size=16k",
};

std::string With(std::string options, const std::string& base) {
  const size_t at = options.find("{base}");
  return at == std::string::npos ? options : options.replace(at, 6, base);
}

// Under a sanitizer each step takes ten times as long: a part of them is enough there, as the plain program does all.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kRounds = 1;
#else
constexpr uint64_t kRounds = 3;
#endif

TEST_CASE("qcow2 write: random writes, zeros and discards, as a model has them and qemu-img finds sound") {
  if (!HasQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  test::FakeHost host;
  for (const std::string& options : kImages) {
    INFO("options " << options);
    const TempFile folder(0), base(4 * 1024 * 1024 + 1000 * 512);
    base.Fill(7);
    const std::string path = folder.Sibling("image.qcow2"), flat = folder.Sibling("flat.raw");
    REQUIRE(Run("qemu-img create -q -f qcow2 " + With(options, base.path()) + " " + path + " " + std::to_string(kSize))
                .code == 0);
    for (uint64_t round = 1; round <= kRounds; round++) {
      // QEMU's turn, then ours: places of both kinds.
      if (round > 1) {
        std::mt19937_64 random(round);
        std::string commands;
        for (int i = 0; i < 12; i++) {
          const uint64_t at = random() % (kSize / 512 - 300) * 512;
          const std::string where = std::to_string(at) + " " + std::to_string((1 + random() % 250) * 512);
          commands += std::string(" -c '") +
                      (i % 4 == 0   ? "write -z "
                       : i % 4 == 1 ? "discard "
                                    : "write -P 3 ") +
                      where + "'";
        }
        REQUIRE(Run("qemu-io -f qcow2" + commands + " " + path).code == 0);
      }
      const auto medium = OpenQcow2(host, path);
      auto channel = medium->Attach(Writing());
      REQUIRE(channel.ok());
      std::vector<uint8_t> model = ReadAll(*channel.value(), kSize);
      RandomSteps(*channel.value(), model, round, 60);
      CHECK(ReadAll(*channel.value(), kSize) == model);
      REQUIRE(channel.value()->Sync().ok());
      channel.value().reset();
      REQUIRE(medium->Detach(Writing()).ok());
      CHECK(medium->Close().ok());
      const auto check = CheckImage(path);
      if (check.code != 0) FAIL("qemu-img check " << check.code << ": " << check.output.substr(0, 2000));
      REQUIRE(Run("qemu-img convert -f qcow2 -O raw " + path + " " + flat).code == 0);
      if (GetFile(flat) != model) FAIL("qemu-img reads something else in round " << round);
    }
  }
}

TEST_CASE("qcow2 write: into compressed clusters, whose counts go down") {
  if (!HasQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  test::FakeHost host;
  for (const std::string options :
       {"cluster_size=4k", "cluster_size=64k", "compression_type=zstd", "extended_l2=on,cluster_size=32k"}) {
    INFO("options " << options);
    const TempFile text(0);
    std::string words;
    while (words.size() < kSize) words += "some words that can be made shorter " + std::to_string(words.size()) + "\n";
    words.resize(kSize);
    PutFile(text.path(), {words.begin(), words.end()});
    const std::string path = text.Sibling("image.qcow2"), flat = text.Sibling("flat.raw");
    REQUIRE(Run("qemu-img convert -c -f raw -O qcow2 -o " + options + " " + text.path() + " " + path).code == 0);
    const auto medium = OpenQcow2(host, path);
    auto channel = medium->Attach(Writing());
    REQUIRE(channel.ok());
    std::vector<uint8_t> model = ReadAll(*channel.value(), kSize);
    RandomSteps(*channel.value(), model, 4, 60);
    CHECK(ReadAll(*channel.value(), kSize) == model);
    REQUIRE(channel.value()->Sync().ok());
    channel.value().reset();
    REQUIRE(medium->Detach(Writing()).ok());
    const auto check = CheckImage(path);
    if (check.code != 0) FAIL("qemu-img check " << check.code << ": " << check.output.substr(0, 2000));
    REQUIRE(Run("qemu-img convert -f qcow2 -O raw " + path + " " + flat).code == 0);
    if (GetFile(flat) != model) FAIL("qemu-img reads something else");
  }
}

TEST_CASE("qcow2 write: the refcount table grows, with the smallest clusters and the widest counts") {
  if (!HasQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  test::FakeHost host;
  const TempFile folder(0);
  const std::string path = folder.Sibling("image.qcow2"), flat = folder.Sibling("flat.raw");
  constexpr uint64_t kLarge = 24 << 20;
  REQUIRE(Run("qemu-img create -q -f qcow2 -o cluster_size=512,refcount_bits=64 " + path + " 24M").code == 0);
  const auto medium = OpenQcow2(host, path);
  auto channel = medium->Attach(Writing());
  REQUIRE(channel.ok());
  std::vector<uint8_t> model(kLarge);
  for (uint64_t at = 0; at < kLarge; at += 1 << 20) Step(*channel.value(), model, at, 1 << 20, 9, at);
  REQUIRE(channel.value()->Sync().ok());
  channel.value().reset();
  REQUIRE(medium->Detach(Writing()).ok());
  const auto check = CheckImage(path);
  if (check.code != 0) FAIL("qemu-img check " << check.code << ": " << check.output.substr(0, 2000));
  REQUIRE(Run("qemu-img convert -f qcow2 -O raw " + path + " " + flat).code == 0);
  CHECK(GetFile(flat) == model);
}

TEST_CASE("qcow2 write: several threads, each on bytes of its own") {
  if (!HasQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  test::FakeHost host;
  const TempFile folder(0), base(3 << 20);
  base.Fill(5);
  const std::string path = folder.Sibling("image.qcow2");
  REQUIRE(Run("qemu-img create -q -f qcow2 -b " + base.path() + " -F raw -o extended_l2=on,cluster_size=64k " + path +
              " 8M")
              .code == 0);
  const auto medium = OpenQcow2(host, path);
  auto channel = medium->Attach(Writing());
  REQUIRE(channel.ok());
  constexpr uint64_t kStripe = 1000, kThreads = 4, kDisk = 8 << 20;
  std::vector<uint8_t> model = ReadAll(*channel.value(), kDisk);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (int i = 0; i < 300; i++) {
        // Stripes that no other thread touches, several in a cluster and in a subcluster.
        const uint64_t at = (random() % (kDisk / kStripe / kThreads) * kThreads + t) * kStripe;
        Step(*channel.value(), model, at, kStripe, static_cast<int>(random() % 10),
             t * 1000 + static_cast<uint64_t>(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(ReadAll(*channel.value(), kDisk) == model);
  channel.value().reset();
  REQUIRE(medium->Detach(Writing()).ok());
  const auto check = CheckImage(path);
  if (check.code != 0) FAIL("qemu-img check " << check.code << ": " << check.output.substr(0, 2000));
}

}  // namespace
}  // namespace blk
