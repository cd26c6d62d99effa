// Bitmaps of qcow2 images that cannot be made or removed: nothing of them is left in the file, and what was there works
// on.
#include <string>
#include <vector>

#include "core/base/byte_order.h"
#include "core/image/qcow2_bitmap_directory.h"
#include "test/support/check.h"
#include "test/support/fake_host.h"
#include "test/support/kept.h"
#include "test/support/qcow2.h"
#include "test/support/qemu.h"

namespace blk {
namespace {

using test::CheckImage;
using test::FakeHost;
using test::GetFile;
using test::HasQemu;
using test::Kept;
using test::Listed;
using test::PutFile;
using test::Run;
using test::TempFile;
using test::Writing;
using Bytes = std::vector<uint8_t>;

constexpr const char* kNoQemu = "no qemu-img: apt-get install qemu-utils";

void Make(const std::string& arguments) {
  const auto ran = Run("qemu-img create -q -f qcow2 " + arguments);
  if (ran.code != 0) FAIL(ran.output);
}

uint32_t Word(const Bytes& file, size_t at) { return Load<uint32_t>(&file[at], ByteOrder::kBig); }
void SetWord(Bytes& file, size_t at, uint32_t value) { Store<uint32_t>(&file[at], value, ByteOrder::kBig); }

// Where the extension of that type begins.
size_t ExtensionAt(const Bytes& file, uint32_t type) {
  size_t at = Word(file, 100);
  while (Word(file, at) != type) at += 8 + AlignUp(Word(file, at + 4), 8);
  return at;
}

// Refuses a new bitmap for this reason.
void CheckRefused(const std::string& path, std::optional<unsigned> shift, int err, Why why) {
  FakeHost host;
  const auto medium = test::OpenQcow2(host, path);
  auto channel = medium->Attach(Writing());
  REQUIRE(channel.ok());
  for (int i = 0; i < 2; i++) {
    const auto kept = medium->KeepChanges("new", shift);
    CHECK(kept.status().err == err);
    CHECK(kept.status().why == why);
  }
  CHECK(!Listed(*medium, "new"));
  channel.value().reset();
  CHECK(medium->Detach(Writing()).ok());
}

TEST_CASE("bitmaps refused: a header without room takes no cluster") {
  if (!HasQemu()) SKIP(kNoQemu);
  for (const uint32_t cluster : {uint32_t{4096}, uint32_t{65536}}) {
    const TempFile folder(0);
    const std::string path = folder.Sibling("image.qcow2");
    Make("-o cluster_size=" + std::to_string(cluster) + " " + path + " 4M");
    Bytes file = GetFile(path);
    // An extension that nobody knows, up to 16 bytes before the end of the cluster.
    const size_t at = ExtensionAt(file, kExtensionEnd);
    SetWord(file, at, 0x12345678);
    SetWord(file, at + 4, static_cast<uint32_t>(cluster - 16 - at - 8));
    PutFile(path, file);
    CheckRefused(path, {}, ENOSPC, Why::kBitmapRoom);
    const auto check = CheckImage(path);
    if (check.code != 0) FAIL("check " << check.code << ": " << check.output);
  }
}

TEST_CASE("bitmaps refused: one that is too large takes no cluster") {
  if (!HasQemu()) SKIP(kNoQemu);
  const TempFile folder(0);
  const std::string path = folder.Sibling("image.qcow2");
  Make(path + " 4T");
  CheckRefused(path, 9, EFBIG, Why::kBitmapSize);
  CHECK(CheckImage(path).code == 0);
}

TEST_CASE("bitmaps refused: one more than an image may have") {
  if (!HasQemu()) SKIP(kNoQemu);
  const TempFile folder(0);
  const std::string path = folder.Sibling("image.qcow2");
  Make("-o cluster_size=2M " + path + " 4M");
  REQUIRE(Run("qemu-img bitmap --add --disable " + path + " n0000000").code == 0);
  Bytes file = GetFile(path);
  const size_t fields = ExtensionAt(file, kExtensionBitmaps) + 8;
  const auto directory = static_cast<size_t>(Load<uint64_t>(&file[fields + 16], ByteOrder::kBig));
  constexpr size_t kEntry = 32;  // with a name of 8 bytes
  file.resize(std::max(file.size(), directory + (2 << 20)));
  for (uint32_t i = 1; i < kMostBitmaps; i++) {
    std::copy_n(&file[directory], kEntry, &file[directory + i * kEntry]);
    const std::string number = std::to_string(10000000 + i);
    std::copy_n(number.begin() + 1, 7, &file[directory + i * kEntry + 25]);
  }
  SetWord(file, fields, kMostBitmaps);
  Store<uint64_t>(&file[fields + 8], uint64_t{kMostBitmaps} * kEntry, ByteOrder::kBig);
  PutFile(path, file);
  CheckRefused(path, {}, ENOSPC, Why::kBitmapCount);
  CHECK(GetFile(path) == file);
}

// One that is removed while one write fails, with `pass` others before it. -> whether that failed it.
bool RemoveFails(const std::string& path, uint64_t pass) {
  INFO("after " << pass << " writes");
  FakeHost host;
  const auto medium = test::OpenQcow2(host, path);
  auto channel = medium->Attach(Writing());
  REQUIRE(channel.ok());
  const auto kept = Kept(*medium, "first");
  host.Fail(test::Call::kPwrite, EIO, pass);
  const auto removed = medium->RemoveKept("first");
  host.Heal();
  const bool listed = Listed(*medium, "first").has_value();
  const uint8_t byte = 1;
  CHECK(channel.value()->Write({1 << 20}, &byte, 1, {}).status.ok());
  // It is listed and works, or is gone.
  CHECK(kept->Clear().ok() == listed);
  if (removed.ok()) CHECK(!listed);
  if (listed) CHECK(Kept(*medium, "first") == kept);
  channel.value().reset();
  CHECK(medium->Detach(Writing()).ok());
  const auto check = CheckImage(path);
  // Where a step of the header fails there may be leaks.
  if (check.code != 0 && check.code != 3) FAIL("check " << check.code << ": " << check.output);
  return !removed.ok();
}

TEST_CASE("bitmaps refused: one whose removal fails works on, or is gone") {
  if (!HasQemu()) SKIP(kNoQemu);
  const TempFile folder(0);
  const std::string path = folder.Sibling("image.qcow2");
  for (const bool alone : {false, true}) {
    INFO("alone " << alone);
    for (uint64_t pass = 0;; pass++) {
      Make(path + " 4M");
      REQUIRE(Run("qemu-img bitmap --add " + path + " first").code == 0);
      if (!alone) REQUIRE(Run("qemu-img bitmap --add " + path + " second").code == 0);
      if (RemoveFails(path, pass)) continue;
      CHECK(pass > 0);
      break;
    }
  }
}

TEST_CASE("bitmaps refused: where the directory cannot be written nothing is taken") {
  if (!HasQemu()) SKIP(kNoQemu);
  const TempFile folder(0);
  const std::string path = folder.Sibling("image.qcow2");
  Make(path + " 4M");
  {
    FakeHost host;
    const auto medium = test::OpenQcow2(host, path);
    auto channel = medium->Attach(Writing());
    REQUIRE(channel.ok());
    // So that clusters are claimed already, and the directory is what is written first.
    const uint8_t byte = 1;
    REQUIRE(channel.value()->Write({0}, &byte, 1, {}).status.ok());
    host.Fail(test::Call::kPwrite, EIO);
    CHECK(medium->KeepChanges("new", {}).status().err == EIO);
    host.Heal();
    CHECK(!Listed(*medium, "new"));
    channel.value().reset();
    CHECK(medium->Detach(Writing()).ok());
  }
  const auto check = CheckImage(path);
  if (check.code != 0) FAIL("check " << check.code << ": " << check.output);
}

}  // namespace
}  // namespace blk
