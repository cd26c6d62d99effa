// What is legal only where somebody asks for it: anything behind a discard, neighbours that are destroyed, runs that go
// together; and stores, word by word.
#include <cerrno>

#include "lab/legal.h"
#include "test/lab/lab_rig.h"

namespace blk::lab {
namespace {

// What each atom of the first device holds: its first byte in decimal, or 'x' where it is not one byte all over.
std::string AtomsOf(const std::shared_ptr<const Choice>& choice) {
  State state(choice);
  std::vector<uint8_t> bytes(static_cast<size_t>(state.SizeOf(0)));
  REQUIRE(state.ReadBytes(0, 0, bytes.data(), bytes.size()).ok());
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += kUnit) {
    const auto first = bytes.begin() + static_cast<ptrdiff_t>(at);
    const bool same = std::all_of(first, first + kUnit, [&](uint8_t byte) { return byte == *first; });
    text += same ? static_cast<char>('0' + *first) : 'x';
  }
  return text;
}

// The states of an exploration; each comes again by its token.
std::set<std::string> Explored(const LabRig& rig, const Model::Setting& setting, const Exploration& what = {}) {
  auto explorer = Explorer::Make(rig.ModelOf(setting), what).Take();
  std::set<std::string> states;
  while (const auto choice = explorer->Next()) {
    const std::string token = choice->Token();
    const Model::Setting known = Choice::SettingOf(token);
    REQUIRE(known.discards_any == setting.discards_any);
    REQUIRE(known.collateral == setting.collateral);
    const auto again = Choice::FromToken(rig.ModelOf(known), token);
    REQUIRE(again.ok());
    REQUIRE(AtomsOf(again.value()) == AtomsOf(choice));
    states.insert(AtomsOf(choice));
  }
  return states;
}
Exploration At(uint64_t cut) {
  Exploration what;
  what.from = what.to = cut;
  what.exact = true;
  what.samples = 300;
  return what;
}

using Set = std::set<std::string>;

TEST_CASE("a discard may leave anything where that is asked for, also when it is durable (M9)") {
  LabRig rig({1});
  rig.Add(rig.Write(1, 2, 0, 1, Promise::kDurable));
  Event discard = rig.Write(3, 4, 0, 0);
  discard.kind = Kind::kDiscard;
  rig.Add(discard);
  rig.Add(LabRig::Flush(5, 6));
  rig.Add(rig.Write(7, 8, 0, 2));
  rig.Add(LabRig::Flush(9, 10));
  Model::Setting any;
  any.discards_any = true;
  CHECK(Explored(rig, {}, At(5)) == Set{"0", "1"});
  CHECK(Explored(rig, any, At(5)) == Set{"0", "1", "x"});
  CHECK(Explored(rig, {}, At(7)) == Set{"0"});
  CHECK(Explored(rig, any, At(7)) == Set{"0", "x"});
  CHECK(Explored(rig, any, At(9)) == Set{"0", "2", "x"});
  CHECK(Explored(rig, any, At(11)) == Set{"2"});
  // What is kept whole is zeros.
  const auto model = rig.ModelOf(any);
  CHECK(AtomsOf(std::make_shared<Choice>(Cut::Make(model, 5), std::vector<uint64_t>{3}, std::vector<Tear>{})) == "0");
}

TEST_CASE("a write of a part of an atom destroys the neighbours where that is asked for (M10)") {
  LabRig rig({4});
  rig.Add(rig.Write(1, 2, 0, 1, Promise::kDurable, 4));
  Event part = rig.Write(3, 4, 1, 2);
  part.at += 100;
  part.length = part.moved = kUnit - 100;
  rig.Add(part);
  rig.Add(LabRig::Flush(5, 6));
  rig.Add(rig.Write(7, 8, 2, 5));
  Model::Setting collateral;
  collateral.collateral = true;
  CHECK(Explored(rig, {}, At(5)) == Set{"1111", "1x11"});
  // The third: what was written begins inside of the second atom and ends with it.
  CHECK(Explored(rig, collateral, At(5)) == Set{"1111", "1x11", "xxx1"});
  // A write of whole atoms destroys nothing, nor does one that is durable.
  CHECK(Explored(rig, collateral, At(9)) == Set{"1x11", "1x51"});
  // Never behind the ends of the device.
  LabRig small({1});
  Event some = small.Write(1, 2, 0, 2);
  some.at += 100;
  some.length = some.moved = 100;
  small.Add(some);
  CHECK(Explored(small, collateral, At(3)) == Set{"0", "x"});
}

TEST_CASE("of runs the atoms are there together or not (M11)") {
  LabRig rig({64});
  rig.Add(rig.Write(1, 2, 0, 1, Promise::kPlain, 64));
  const auto runs_of = [&](uint64_t run) {
    Exploration what = At(3);
    what.exhaustive = 1;
    what.samples = 30;
    what.run = run;
    size_t mixed = 0;
    for (const std::string& text : Explored(rig, {}, what)) {
      bool together = true;
      for (size_t i = 0; i < text.size(); i++) together = together && text[i] == text[i - i % 8];
      if (together && text.find('0') != std::string::npos && text.find('1') != std::string::npos) mixed++;
    }
    return mixed;
  };
  CHECK(runs_of(0) == 0);
  CHECK(runs_of(8 * kUnit) >= 5);
}

TEST_CASE("what is durable is not torn, though an older version may have outlived it (M10)") {
  LabRig rig({1});
  rig.Add(rig.Write(1, 4, 0, 1));
  rig.Add(rig.Write(2, 3, 0, 2));
  rig.Add(LabRig::Flush(5, 6));
  Exploration what = At(7);
  what.tearing = Tearing::kGarbage;
  auto explorer = Explorer::Make(rig.ModelOf(), what).Take();
  Set states;
  while (const auto choice = explorer->Next()) {
    CHECK(choice->tears().empty());
    states.insert(AtomsOf(choice));
  }
  CHECK(states == Set{"1", "2"});
}

TEST_CASE("stores are there word by word, and other writes are not (M8)") {
  LabRig rig({2});
  rig.Add(rig.Write(1, 2, 1, 1));
  Event stores = rig.Write(3, 4, 0, 1);
  stores.stores = true;
  rig.Add(stores);
  const auto states = Explored(rig, {}, At(5));
  CHECK(states.count("x1") == 1);
  CHECK(states.count("1x") == 0);
  CHECK(states.count("0x") == 0);
  std::vector<uint8_t> image(2 * kUnit, 0);
  const auto legal = [&] {
    const auto model = rig.ModelOf();
    return IsLegal(*model, {image}, model->end()).value();
  };
  std::fill_n(image.begin() + 8, 8, uint8_t{1});
  CHECK(legal());
  image[20] = 1;  // half a word
  CHECK_FALSE(legal());
  image[20] = 0;
  std::fill_n(image.begin() + kUnit, 8, uint8_t{1});
  CHECK_FALSE(legal());
  Exploration whole = At(5);
  whole.tearing = Tearing::kNone;
  CHECK(Explored(rig, {}, whole) == Set{"00", "01", "10", "11"});
}

}  // namespace
}  // namespace blk::lab
