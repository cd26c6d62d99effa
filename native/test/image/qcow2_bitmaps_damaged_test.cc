// Bitmaps of qcow2 images that are damaged, or that nobody knows: the disk stays what it was, nothing is written where
// a damaged one points, what is on is trusted by nobody afterwards, and what is unknown stays as it is.
#include <functional>
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
using test::GetFile;
using test::HasQemu;
using test::Listed;
using test::Pattern;
using test::PutFile;
using test::Run;
using test::TempFile;
using test::Writing;

constexpr uint64_t kSize = 4 << 20, kCluster = 65536;

uint32_t Word(const std::vector<uint8_t>& file, uint64_t at) { return Load<uint32_t>(&file[at], ByteOrder::kBig); }
uint64_t Long(const std::vector<uint8_t>& file, uint64_t at) { return Load<uint64_t>(&file[at], ByteOrder::kBig); }
void SetWord(std::vector<uint8_t>& file, uint64_t at, uint32_t value) {
  Store<uint32_t>(&file[at], value, ByteOrder::kBig);
}
void SetLong(std::vector<uint8_t>& file, uint64_t at, uint64_t value) {
  Store<uint64_t>(&file[at], value, ByteOrder::kBig);
}

// An image with two bitmaps, `first` with blocks of 4 KiB and `second`, and where what of it lies.
struct Places {
  uint64_t extension = 0;  // its fields
  uint64_t directory = 0;
  uint64_t entry = 0;  // of `first`
  uint64_t other = 0;  // of `second`
  uint64_t table = 0;  // of `first`
};

Places PlacesOf(const std::vector<uint8_t>& file) {
  Places places;
  uint64_t at = Word(file, 100);
  while (Word(file, at) != kExtensionBitmaps) at += 8 + AlignUp(Word(file, at + 4), 8);
  places.extension = at + 8;
  places.directory = Long(file, at + 24);
  places.entry = places.directory;
  places.other = places.entry + 32;
  places.table = Long(file, places.entry);
  return places;
}

void MakeImage(const std::string& path) {
  for (const std::string& command :
       {std::string("qemu-img create -q -f qcow2 ") + path + " 4M", "qemu-img bitmap --add -g 4k " + path + " first",
        "qemu-img bitmap --add " + path + " second", "qemu-io -f qcow2 -c 'write -P 7 1M 200k' " + path}) {
    REQUIRE(Run(command).code == 0);
  }
}

// What becomes of `first`, and of the list.
enum class Fate {
  kGone,     // nobody can read the list: it counts no more
  kUnknown,  // stays as it is, in use
  kLost,     // all counts as changed
};

struct Damage {
  std::string name;
  Fate fate;
  std::function<void(std::vector<uint8_t>&, const Places&)> make;
};

const std::vector<Damage>& Damages() {
  using File = std::vector<uint8_t>;
  static const std::vector<Damage> damages = {
      {"directory behind the end", Fate::kGone,
       [](File& file, const Places& p) { SetLong(file, p.extension + 16, uint64_t{1} << 40); }},
      {"directory at no cluster", Fate::kGone,
       [](File& file, const Places& p) { SetLong(file, p.extension + 16, p.directory + 512); }},
      {"directory in the header", Fate::kGone, [](File& file, const Places& p) { SetLong(file, p.extension + 16, 0); }},
      {"directory in the L1 table", Fate::kGone,
       [](File& file, const Places& p) { SetLong(file, p.extension + 16, Long(file, 40)); }},
      {"directory in an L2 table", Fate::kGone,
       [](File& file, const Places& p) {
         const uint64_t l2 = Long(file, Long(file, 40)) & 0x00fffffffffffe00;
         std::copy_n(file.begin() + static_cast<ptrdiff_t>(p.directory), 64, file.begin() + static_cast<ptrdiff_t>(l2));
         SetLong(file, p.extension + 16, l2);
       }},
      {"directory too short", Fate::kGone, [](File& file, const Places& p) { SetLong(file, p.extension + 8, 40); }},
      {"directory too long", Fate::kGone,
       [](File& file, const Places& p) { SetLong(file, p.extension + 8, uint64_t{1} << 60); }},
      {"no bitmap", Fate::kGone, [](File& file, const Places& p) { SetWord(file, p.extension, 0); }},
      {"too many bitmaps", Fate::kGone, [](File& file, const Places& p) { SetWord(file, p.extension, 70000); }},
      {"one bitmap more than there are", Fate::kGone,
       [](File& file, const Places& p) { SetWord(file, p.extension, 3); }},
      {"a name that ends behind the directory", Fate::kGone,
       [](File& file, const Places& p) { file[p.other + 18] = 0xff; }},
      {"extra data that ends behind the directory", Fate::kGone,
       [](File& file, const Places& p) { SetWord(file, p.other + 20, 0xffffffff); }},
      {"an unknown flag", Fate::kUnknown, [](File& file, const Places& p) { file[p.entry + 15] |= 8; }},
      {"an unknown type", Fate::kUnknown, [](File& file, const Places& p) { file[p.entry + 16] = 2; }},
      {"too fine", Fate::kUnknown, [](File& file, const Places& p) { file[p.entry + 17] = 8; }},
      {"too coarse", Fate::kUnknown, [](File& file, const Places& p) { file[p.entry + 17] = 63; }},
      {"a shift of no number", Fate::kUnknown, [](File& file, const Places& p) { file[p.entry + 17] = 255; }},
      {"extra data that must be known", Fate::kUnknown,
       [](File& file, const Places& p) {
         file[p.entry + 19] = 2;  // of the name: the rest is extra
         SetWord(file, p.entry + 20, 3);
         std::copy_n("xyzfi", 5, file.begin() + static_cast<ptrdiff_t>(p.entry) + 24);
       }},
      {"a table behind the end", Fate::kLost,
       [](File& file, const Places& p) { SetLong(file, p.entry, uint64_t{1} << 40); }},
      {"a table at no cluster", Fate::kLost, [](File& file, const Places& p) { SetLong(file, p.entry, p.table + 8); }},
      {"a table nowhere", Fate::kLost, [](File& file, const Places& p) { SetLong(file, p.entry, 0); }},
      {"a table in the L1 table", Fate::kLost,
       [](File& file, const Places& p) { SetLong(file, p.entry, Long(file, 40)); }},
      {"a table in the directory", Fate::kLost,
       [](File& file, const Places& p) { SetLong(file, p.entry, p.directory); }},
      {"a table of no entries", Fate::kLost, [](File& file, const Places& p) { SetWord(file, p.entry + 8, 0); }},
      {"a table of all entries", Fate::kLost,
       [](File& file, const Places& p) { SetWord(file, p.entry + 8, 0xffffffff); }},
      {"bits at no cluster", Fate::kLost,
       [](File& file, const Places& p) { SetLong(file, p.table, Long(file, p.table) + 512); }},
      {"bits behind the end", Fate::kLost,
       [](File& file, const Places& p) { SetLong(file, p.table, uint64_t{1} << 40); }},
      {"bits with a reserved bit", Fate::kLost,
       [](File& file, const Places& p) { SetLong(file, p.table, Long(file, p.table) | uint64_t{1} << 60); }},
      {"bits, and all ones", Fate::kLost,
       [](File& file, const Places& p) { SetLong(file, p.table, Long(file, p.table) | 1); }},
      {"bits in the refcount table", Fate::kLost,
       [](File& file, const Places& p) { SetLong(file, p.table, Long(file, 48)); }},
      {"bits in an L2 table", Fate::kLost,
       [](File& file, const Places& p) { SetLong(file, p.table, Long(file, Long(file, 40)) & 0x00fffffffffffe00); }},
      {"bits that are counted twice", Fate::kLost,
       [](File& file, const Places& p) {
         const uint64_t block = Long(file, Long(file, 48));
         file[block + 2 * (Long(file, p.table) / kCluster) + 1] = 2;
       }},
  };
  return damages;
}

void CheckDamage(const Damage& damage, const std::vector<uint8_t>& sound) {
  INFO("damage: " << damage.name);
  const TempFile folder(0);
  const std::string path = folder.Sibling("image.qcow2");
  std::vector<uint8_t> file = sound;
  const Places places = PlacesOf(sound);
  damage.make(file, places);
  PutFile(path, file);
  test::FakeHost host;
  const auto medium = test::OpenQcow2(host, path);
  auto channel = medium->Attach(Writing());
  REQUIRE(channel.ok());
  // The disk is what it was, where the damage is none of its tables.
  const bool table = damage.name == "directory in an L2 table";
  std::vector<uint8_t> model(kSize);
  if (!table) std::fill(model.begin() + (1 << 20), model.begin() + (1 << 20) + 200 * 1024, uint8_t{7});
  if (!table) CHECK((test::ReadAll(*channel.value(), kSize) == model));
  const auto bytes = Pattern(0, 5000, 1);
  REQUIRE(channel.value()->Write({3 << 20}, bytes.data(), bytes.size(), {}).bytes == bytes.size());
  std::copy(bytes.begin(), bytes.end(), model.begin() + (3 << 20));
  const std::string name = damage.name == "extra data that must be known" ? "fi" : "first";
  const auto kept = medium->KeepChanges(name, {});
  switch (damage.fate) {
    case Fate::kGone:
      REQUIRE(kept.ok());
      CHECK(kept.value()->consistent());
      CHECK(medium->ListKept().value().size() == 1);
      break;
    case Fate::kUnknown:
      CHECK(kept.status().err == ENOTSUP);
      CHECK(kept.status().why == Why::kBitmapUnknown);
      CHECK(!Listed(*medium, name)->consistent);
      break;
    case Fate::kLost:
      REQUIRE(kept.ok());
      CHECK(!kept.value()->consistent());
      CHECK(kept.value()->map()->bytes() == kSize);
      CHECK(kept.value()->Clear().ok());
      break;
  }
  if (damage.fate != Fate::kGone) CHECK(medium->KeepChanges("second", {}).value()->consistent());
  if (!table) CHECK((test::ReadAll(*channel.value(), kSize) == model));
  channel.value().reset();
  CHECK(medium->Detach(Writing()).ok());
  const std::vector<uint8_t> after = GetFile(path);
  if (damage.fate == Fate::kUnknown) {
    std::vector<uint8_t> entry(after.begin() + static_cast<ptrdiff_t>(places.entry),
                               after.begin() + static_cast<ptrdiff_t>(places.other));
    entry[15] &= static_cast<uint8_t>(~kBitmapInUse);
    CHECK(std::equal(entry.begin(), entry.end(), file.begin() + static_cast<ptrdiff_t>(places.entry)));
    CHECK((after[places.entry + 15] & kBitmapInUse) != 0);
    return;
  }
  if (table) return;
  const bool counts = damage.name == "bits that are counted twice";
  const auto check = CheckImage(path);
  if (check.code != 0 && check.code != 3 && !counts) FAIL("check " << check.code << ": " << check.output);
  const std::string info = Run("qemu-img info -U -f qcow2 --output=json " + path).output;
  CHECK(info.find("first") != std::string::npos);
  CHECK(info.find("in-use") == std::string::npos);
}

TEST_CASE("bitmaps: damaged and unknown ones are left alone, and nothing is written where they point") {
  if (!HasQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  const TempFile folder(0);
  MakeImage(folder.Sibling("image.qcow2"));
  const std::vector<uint8_t> sound = GetFile(folder.Sibling("image.qcow2"));
  for (const Damage& damage : Damages()) CheckDamage(damage, sound);
}

TEST_CASE("bitmaps: a name that is no UTF-8 is kept, and of two of one name the second is trusted by nobody") {
  if (!HasQemu()) SKIP("no qemu-img: apt-get install qemu-utils");
  const TempFile folder(0);
  const std::string path = folder.Sibling("image.qcow2");
  MakeImage(path);
  std::vector<uint8_t> file = GetFile(path);
  const Places places = PlacesOf(file);
  file[places.entry + 24] = 0xff;
  const std::string name =
      "\xff"
      "irst";
  std::copy_n(name.begin(), 5, file.begin() + static_cast<ptrdiff_t>(places.other) + 24);
  file[places.other + 19] = 5;
  PutFile(path, file);
  test::FakeHost host;
  const auto medium = test::OpenQcow2(host, path);
  auto channel = medium->Attach(Writing());
  REQUIRE(channel.ok());
  const auto list = medium->ListKept().value();
  REQUIRE(list.size() == 2);
  CHECK((list[0].name == name && list[0].consistent));
  CHECK((list[1].name == name && !list[1].consistent));
  CHECK(medium->KeepChanges(name, {}).value()->consistent());
  channel.value().reset();
  CHECK(medium->Detach(Writing()).ok());
  const std::vector<uint8_t> after = GetFile(path);
  CHECK((after[places.entry + 15] & kBitmapInUse) == 0);
  CHECK((after[places.other + 15] & kBitmapInUse) != 0);
}

}  // namespace
}  // namespace blk
