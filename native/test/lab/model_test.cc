// What a crash may leave, of small histories whose legal states are written down.
#include <cerrno>

#include "lab/legal.h"
#include "test/lab/lab_rig.h"

namespace blk::lab {
namespace {

// At the end alone.
std::set<std::string> AtEnd(const LabRig& rig, Model::Setting setting = {}) {
  Exploration what;
  what.exhaustive = kNever;
  const auto model = rig.ModelOf(std::move(setting));
  what.from = what.to = model->end();
  what.exact = true;
  return StatesOf(model, what);
}

using Set = std::set<std::string>;

TEST_CASE("without a flush older versions may surface (M2)") {
  LabRig rig({1});
  rig.Add(rig.Write(1, 2, 0, 1));
  rig.Add(rig.Write(3, 4, 0, 2));
  CHECK(AtEnd(rig) == Set{"0:00", "0:01", "0:02"});
}

TEST_CASE("FUA covers its own bytes alone (M4)") {
  LabRig rig({2});
  rig.Add(rig.Write(1, 2, 0, 1));
  rig.Add(rig.Write(3, 4, 1, 2, Promise::kDurable));
  CHECK(AtEnd(rig) == Set{"0:0002", "0:0102"});
}

TEST_CASE("a flush covers what was acknowledged before it began, and nothing while it is under way (M1, M4)") {
  LabRig rig({2});
  rig.Add(rig.Write(1, 3, 0, 1));
  rig.Add(rig.Write(2, 5, 1, 2));  // acknowledged behind the beginning of the flush
  rig.Add(LabRig::Flush(4, 6));
  CHECK(AtEnd(rig) == Set{"0:0100", "0:0102"});
  LabRig open({1});
  open.Add(open.Write(1, 2, 0, 1));
  open.Add(LabRig::Flush(3, kNever));
  CHECK(AtEnd(open) == Set{"0:00", "0:01"});
}

TEST_CASE("nothing resurfaces behind a covered version, and of two at once either may win (M2)") {
  LabRig rig({1});
  rig.Add(rig.Write(1, 2, 0, 1));
  rig.Add(rig.Write(3, 5, 0, 2));
  rig.Add(rig.Write(4, 6, 0, 3));
  rig.Add(LabRig::Flush(7, 8));
  CHECK(AtEnd(rig) == Set{"0:02", "0:03"});
  rig.Add(rig.Write(9, 10, 0, 4, Promise::kDurable));
  CHECK(AtEnd(rig) == Set{"0:04"});
}

TEST_CASE("unsafe is covered by nothing (M5)") {
  LabRig rig({1});
  rig.Add(rig.Write(1, 2, 0, 1, Promise::kNothing));
  rig.Add(LabRig::Flush(3, 4));
  CHECK(AtEnd(rig) == Set{"0:00", "0:01"});
}

TEST_CASE("a flush that failed has lost what it was about, for later flushes too (M6)") {
  LabRig rig({2});
  rig.Add(rig.Write(1, 2, 0, 1));
  rig.Add(LabRig::Flush(3, 4, EIO));
  rig.Add(rig.Write(5, 6, 1, 2));
  rig.Add(LabRig::Flush(7, 8));
  CHECK(AtEnd(rig) == Set{"0:0002", "0:0102"});
}

TEST_CASE("a write that failed is covered by no flush, the part of it that moved is (M6)") {
  LabRig rig({2});
  Event failed = rig.Write(1, 2, 0, 1, Promise::kPlain, 2);
  failed.err = EIO;
  failed.moved = kUnit;
  rig.Add(failed);
  rig.Add(LabRig::Flush(3, 4));
  CHECK(AtEnd(rig) == Set{"0:0100", "0:0101"});
  // Until it is written over.
  rig.Add(rig.Write(5, 6, 1, 3, Promise::kDurable));
  CHECK(AtEnd(rig) == Set{"0:0103"});
}

TEST_CASE("a discard leaves what was there, or zeros, until it is covered (M9)") {
  LabRig rig({1});
  rig.Add(rig.Write(1, 2, 0, 1, Promise::kDurable));
  Event discard = rig.Write(3, 4, 0, 0);
  discard.kind = Kind::kDiscard;
  rig.Add(discard);
  CHECK(AtEnd(rig) == Set{"0:00", "0:01"});
  rig.Add(LabRig::Flush(5, 6));
  CHECK(AtEnd(rig) == Set{"0:00"});
}

TEST_CASE("what was acknowledged is there when a process ends, what was on its way by atoms (M12)") {
  LabRig rig({3});
  rig.Add(rig.Write(1, 2, 0, 1));
  rig.Add(rig.Write(3, kNever, 1, 2, Promise::kPlain, 2));
  Model::Setting process;
  process.process = true;
  CHECK(AtEnd(rig, process) == Set{"0:010000", "0:010002", "0:010200", "0:010202"});
}

TEST_CASE("devices share cuts, and each domain has flushes of its own (M13)") {
  LabRig rig({1, 1});
  rig.Add(rig.Write(1, 2, 0, 1));
  rig.Add(rig.Write(3, 4, 0, 2, Promise::kPlain, 1, 1));
  rig.Add(LabRig::Flush(5, 6, 0, 1));
  CHECK(AtEnd(rig) == Set{"0:0002", "0:0102"});
}

TEST_CASE("a flush that is ignored covers nothing") {
  LabRig rig({1});
  rig.Add(rig.Write(1, 2, 0, 1));
  rig.Add(LabRig::Flush(3, 4));
  CHECK(AtEnd(rig) == Set{"0:01"});
  Model::Setting without;
  without.ignored = {1};
  CHECK(AtEnd(rig, without) == Set{"0:00", "0:01"});
}

TEST_CASE("parts of atoms patch the version before") {
  LabRig rig({1});
  rig.Add(rig.Write(1, 2, 0, 1, Promise::kDurable));
  Event part = rig.Write(3, 4, 0, 2);
  part.at = 100;
  part.length = part.moved = 50;
  rig.Add(part);
  const auto model = rig.ModelOf();
  std::vector<uint8_t> image(kUnit, 1);
  CHECK(IsLegal(*model, {image}, model->end()).value());
  std::fill(image.begin() + 100, image.begin() + 150, uint8_t{2});
  CHECK(IsLegal(*model, {image}, model->end()).value());
  image[99] = 2;
  CHECK_FALSE(IsLegal(*model, {image}, model->end()).value());
  CHECK(IsLegal(*model, {image, image}, model->end()).status().err == EINVAL);
}

TEST_CASE("tears are parts of versions, bytes of nobody, or errors, of kept units alone (M10)") {
  LabRig rig({1});
  rig.Add(rig.Write(1, 2, 0, 1));
  const auto cut = Cut::Make(rig.ModelOf(), 3);
  const auto read = [&](TearKind kind, uint32_t seed, std::vector<uint8_t>* bytes) {
    State state(std::make_shared<Choice>(cut, std::vector<uint64_t>{1}, std::vector<Tear>{{0, kind, seed}}));
    bytes->assign(kUnit, 9);
    return state.ReadBytes(0, 0, bytes->data(), bytes->size());
  };
  std::vector<uint8_t> bytes;
  REQUIRE(read(TearKind::kPrefix, 100, &bytes).ok());
  CHECK((bytes[0] == 1 && bytes[99] == 1 && bytes[100] == 0 && bytes[511] == 0));
  REQUIRE(read(TearKind::kSuffix, 100, &bytes).ok());
  CHECK((bytes[0] == 0 && bytes[411] == 0 && bytes[412] == 1 && bytes[511] == 1));
  REQUIRE(read(TearKind::kGarbage, 7, &bytes).ok());
  CHECK(std::set<uint8_t>(bytes.begin(), bytes.end()).size() > 100);
  CHECK(read(TearKind::kError, 0, &bytes).err == EIO);
}

TEST_CASE("two tears that leave the same are one state, and so is one that leaves a whole version") {
  LabRig rig({1});
  Event part = rig.Write(1, 2, 0, 1);
  part.at = 100;
  part.length = part.moved = 50;
  rig.Add(part);
  const auto cut = Cut::Make(rig.ModelOf(), 3);
  const auto key = [&](TearKind kind, uint32_t seed) { return Choice(cut, {1}, {{0, kind, seed}}).Key(); };
  const uint64_t whole = Choice(cut, {1}, {}).Key(), lost = Choice(cut, {0}, {}).Key();
  CHECK(key(TearKind::kPrefix, 20) == lost);
  CHECK(key(TearKind::kPrefix, 100) == lost);
  CHECK(key(TearKind::kPrefix, 150) == whole);
  CHECK(key(TearKind::kPrefix, 120) != key(TearKind::kPrefix, 121));
  CHECK(key(TearKind::kSuffix, 512 - 120) == Choice(cut, {1}, {{0, TearKind::kSuffix, 512 - 120}}).Key());
  CHECK(key(TearKind::kSuffix, 512 - 100) == whole);
  CHECK(key(TearKind::kGarbage, 3) != key(TearKind::kGarbage, 4));
  // What cannot be read is that, however it came about.
  CHECK(key(TearKind::kError, 3) == key(TearKind::kError, 4));
  CHECK(key(TearKind::kError, 3) != whole);
  // The explorer gives none twice.
  Exploration what;
  what.tearing = Tearing::kShorn;
  what.samples = 2000;
  auto explorer = Explorer::Make(rig.ModelOf(), what);
  REQUIRE(explorer.ok());
  std::set<std::vector<uint8_t>> seen;
  while (const auto choice = explorer.value()->Next()) {
    std::vector<uint8_t> bytes(kUnit);
    State state(choice);
    REQUIRE(state.ReadBytes(0, 0, bytes.data(), bytes.size()).ok());
    CHECK(seen.insert(bytes).second);
  }
  CHECK(seen.size() > 10);
  CHECK(seen.size() <= 100);  // prefixes and suffixes of 50 bytes
}

}  // namespace
}  // namespace blk::lab
