// The explorer against the rules themselves: of thousands of small histories every legal state is found by trying each
// combination of contents by the words of the model, and the exhaustive exploration has to give those and no others.
#include <algorithm>
#include <random>

#include "lab/legal.h"
#include "test/lab/lab_rig.h"

namespace blk::lab {
namespace {

constexpr uint64_t kAtoms = 3;

// M1. Of a history without failures.
bool IsCovered(const std::vector<Event>& history, const Event& write, uint64_t cut) {
  if (write.promise == Promise::kNothing || write.end == kNever) return false;
  if (write.promise == Promise::kDurable && write.end < cut) return true;
  return std::any_of(history.begin(), history.end(), [&](const Event& flush) {
    return flush.kind == Kind::kFlush && flush.device == write.device && flush.end != kNever &&
           write.end < flush.begin && flush.end < cut;
  });
}

bool Touches(const Event& write, uint16_t device, uint64_t atom) {
  return write.kind == Kind::kWrite && write.device == device && write.at <= atom * kUnit &&
         write.at + write.length >= (atom + 1) * kUnit;
}

// M2: what an atom may hold. Writes have the value of their first byte.
std::set<uint8_t> LegalOf(const std::vector<Event>& history, uint16_t device, uint64_t atom, uint64_t cut) {
  std::set<uint8_t> legal;
  const auto superseded = [&](uint64_t end) {
    return std::any_of(history.begin(), history.end(), [&](const Event& other) {
      return Touches(other, device, atom) && IsCovered(history, other, cut) && end < other.begin;
    });
  };
  if (!superseded(0)) legal.insert(0);
  for (const Event& write : history) {
    if (Touches(write, device, atom) && write.begin < cut && !superseded(write.end)) legal.insert(write.data[0]);
  }
  return legal;
}

// M3, at every cut that there is, with the number of marks before it.
std::set<std::string> Oracle(const std::vector<Event>& history, uint64_t end, uint16_t devices) {
  std::set<std::string> states;
  for (uint64_t cut = 1; cut <= end; cut++) {
    const auto marks = std::count_if(history.begin(), history.end(), [&](const Event& event) {
      return event.kind == Kind::kMark && event.begin < cut;
    });
    std::vector<std::string> texts{std::to_string(marks) + ":"};
    for (uint16_t device = 0; device < devices; device++) {
      for (uint64_t atom = 0; atom < kAtoms; atom++) {
        std::vector<std::string> longer;
        for (const uint8_t value : LegalOf(history, device, atom, cut)) {
          for (const std::string& text : texts) {
            longer.push_back(text + "0123456789abcdef"[value >> 4] + "0123456789abcdef"[value & 15]);
          }
        }
        texts = std::move(longer);
      }
    }
    states.insert(texts.begin(), texts.end());
  }
  return states;
}

// A history of `requests`, whose begins and ends are mixed.
struct History {
  History(uint32_t seed, uint16_t devices, int requests) : random(seed) {
    std::vector<size_t> open;
    uint64_t number = 1;
    while (requests > 0 || !open.empty()) {
      const bool begins = requests > 0 && (open.empty() || (open.size() < 3 && Draw(2) == 0));
      if (!begins) {
        const size_t which = Draw(static_cast<uint32_t>(open.size()));
        // Some are never answered.
        if (Draw(12) != 0) {
          events[open[which]].end = number++;
          events[open[which]].moved = events[open[which]].length;
        }
        open.erase(open.begin() + static_cast<ptrdiff_t>(which));
        continue;
      }
      requests--;
      Event event;
      event.begin = number++;
      event.device = static_cast<uint16_t>(Draw(devices));
      const uint32_t kind = Draw(10);
      if (kind == 0) {
        event.kind = Kind::kMark;
        event.end = event.begin;
      } else if (kind < 4) {
        event.kind = Kind::kFlush;
      } else {
        event.at = Draw(kAtoms) * kUnit;
        event.length = (1 + Draw(static_cast<uint32_t>(kAtoms - event.at / kUnit))) * kUnit;
        event.promise = kind == 4 ? Promise::kDurable : kind == 5 && Draw(3) == 0 ? Promise::kNothing : Promise::kPlain;
        // Few values, so that some are equal.
        data.push_back(std::vector<uint8_t>(static_cast<size_t>(event.length), static_cast<uint8_t>(Draw(6))));
        event.data = data.back().data();
      }
      events.push_back(event);
      if (event.kind != Kind::kMark) open.push_back(events.size() - 1);
    }
    end = number;
  }
  uint32_t Draw(uint32_t below) { return random() % below; }

  std::mt19937 random;
  std::vector<Event> events;
  std::vector<std::vector<uint8_t>> data;
  uint64_t end = 1;
};

TEST_CASE("an exhaustive exploration is what the rules say, of thousands of histories, from maximal cuts alone") {
  size_t states = 0;
  for (uint32_t seed = 1; seed <= 3000; seed++) {
    INFO("history " << seed);
    const uint16_t devices = seed % 3 == 0 ? 2 : 1;
    const History history(seed, devices, 3 + static_cast<int>(seed % 6));
    LabRig rig(std::vector<uint64_t>(devices, kAtoms));
    for (const Event& event : history.events) rig.Add(event);
    const auto wanted = Oracle(history.events, history.end, devices);
    Exploration what;
    what.exhaustive = kNever;
    const auto model = rig.ModelOf();
    const auto found = StatesOf(model, what);
    REQUIRE(found == wanted);
    states += found.size();
  }
  CHECK(states > 30000);
}

TEST_CASE("what passes give is legal, and every token gives the same state again") {
  for (uint32_t seed = 1; seed <= 300; seed++) {
    INFO("history " << seed);
    const History history(seed, 1, 14);
    LabRig rig({kAtoms});
    for (const Event& event : history.events) rig.Add(event);
    const auto wanted = Oracle(history.events, history.end, 1);
    Exploration what;
    what.exhaustive = 1;
    what.strength = static_cast<uint8_t>(1 + seed % 3);
    what.tearing = seed % 2 == 0 ? Tearing::kAtom : Tearing::kNone;
    what.seed = seed;
    auto explorer = Explorer::Make(rig.ModelOf(), what).Take();
    while (const auto choice = explorer->Next()) {
      const auto text = TextOf(choice);
      REQUIRE(wanted.count(std::to_string(choice->cut().marks) + ":" + text) == 1);
      const auto again = Choice::FromToken(choice->cut().model, choice->Token());
      REQUIRE(again.ok());
      REQUIRE(TextOf(again.value()) == text);
      std::vector<uint8_t> image;
      for (size_t i = 0; i < kAtoms; i++) {
        image.insert(image.end(), kUnit, static_cast<uint8_t>(std::stoi(text.substr(2 * i, 2), nullptr, 16)));
      }
      REQUIRE(IsLegal(*choice->cut().model, {image}, choice->cut().at).value());
    }
  }
}

TEST_CASE("pairs separate every two requests, and triples every three") {
  LabRig rig({40});
  for (uint64_t i = 0; i < 37; i++) rig.Add(rig.Write(2 * i + 1, 2 * i + 2, i, static_cast<uint8_t>(i + 1)));
  Exploration what;
  what.strength = 3;
  what.samples = 0;
  auto explorer = Explorer::Make(rig.ModelOf(), what).Take();
  std::vector<std::shared_ptr<const Choice>> choices;
  for (int i = 0; i < 1 + 2 * 6 + 14 * 15; i++) {
    if (const auto choice = explorer->Next()) choices.push_back(choice);
  }
  for (uint32_t a = 0; a < 37; a++) {
    for (uint32_t b = a + 1; b < 37; b++) {
      for (uint32_t c = b + 1; c < 37; c++) {
        std::set<int> seen;
        for (const auto& choice : choices)
          seen.insert(choice->Keeps(a) | choice->Keeps(b) << 1 | choice->Keeps(c) << 2);
        // All but the one that keeps all three, or loses all of them, which others give.
        REQUIRE(seen.size() >= 7);
      }
    }
  }
}

TEST_CASE("of a pass each cut has its first choice before any has its second") {
  LabRig rig({200});
  for (uint64_t cut = 0; cut < 6; cut++) {
    for (uint64_t i = 0; i < 30; i++) {
      const uint64_t begin = cut * 100 + 2 * i + 1;
      rig.Add(rig.Write(begin, begin + 1, i, static_cast<uint8_t>(cut * 30 + i + 1)));
    }
    rig.Add(LabRig::Flush(cut * 100 + 70, cut * 100 + 71));
  }
  Exploration what;
  what.samples = 3;
  auto explorer = Explorer::Make(rig.ModelOf(), what).Take();
  std::vector<uint64_t> cuts;
  while (const auto choice = explorer->Next()) cuts.push_back(choice->cut().at);
  REQUIRE(explorer->cuts() == 7);
  // Behind those that have lost all: of the last cut, where all is durable, there is one state.
  for (size_t i = 6; i + 6 < 6 + 6 * 10; i += 6) {
    CHECK(std::set<uint64_t>(cuts.begin() + static_cast<ptrdiff_t>(i), cuts.begin() + static_cast<ptrdiff_t>(i) + 6)
              .size() == 6);
  }
}

TEST_CASE("beyond a model are the states that only the leaving out of an event makes legal") {
  size_t more = 0;
  for (uint32_t seed = 1; seed <= 600; seed++) {
    INFO("history " << seed);
    const History history(seed, 1, 3 + static_cast<int>(seed % 6));
    LabRig rig({kAtoms});
    for (const Event& event : history.events) rig.Add(event);
    const auto whole = rig.ModelOf();
    Exploration what;
    what.exhaustive = kNever;
    const auto before = StatesOf(whole, what);
    for (uint32_t i = 0; i < whole->events().size(); i++) {
      const Event& event = whole->events()[i];
      if (event.kind != Kind::kFlush && event.promise != Promise::kDurable) continue;
      const auto without = rig.ModelOf({false, false, false, {i}});
      what.beyond = nullptr;
      const auto all = StatesOf(without, what);
      what.beyond = whole;
      const auto beyond = StatesOf(without, what);
      for (const std::string& text : beyond) REQUIRE(all.count(text) == 1);
      for (const std::string& text : all) REQUIRE((before.count(text) == 1 || beyond.count(text) == 1));
      more += beyond.size();
    }
  }
  CHECK(more > 500);
}

TEST_CASE("a token of other requests is stale, and what is none is refused") {
  LabRig rig({4});
  rig.Add(rig.Write(1, 2, 0, 1));
  rig.Add(rig.Write(3, 4, 1, 1));
  LabRig other({4});
  other.Add(other.Write(1, 2, 0, 7));  // another content is the same structure
  other.Add(other.Write(3, 4, 2, 1));
  const auto model = rig.ModelOf();
  const std::string token = Choice(Cut::Make(model, 5), {2}, {}).Token();
  CHECK(Choice::FromToken(model, token).ok());
  CHECK(Choice::FromToken(other.ModelOf(), token).status().err == ESTALE);
  CHECK(DifferOf(*model, *other.ModelOf(), 5) == 1);
  CHECK_FALSE(DifferOf(*model, *other.ModelOf(), 3).has_value());
  for (const std::string& wrong : {std::string(), std::string("rbl2.") + token.substr(5), token + "A", token + "~9",
                                   token.substr(0, token.size() - 1), std::string("rbl1.zz.1.A")}) {
    INFO("token " << wrong);
    CHECK(Choice::FromToken(model, wrong).status().err == EINVAL);
  }
}

TEST_CASE("every cut cannot be enumerated where there are too many states") {
  LabRig rig({40});
  rig.Add(rig.Write(1, 2, 0, 1, Promise::kPlain, 40));
  Exploration what;
  what.exhaustive = kNever;
  CHECK(Explorer::Make(rig.ModelOf(), what).status().err == EOVERFLOW);
}

}  // namespace
}  // namespace blk::lab
