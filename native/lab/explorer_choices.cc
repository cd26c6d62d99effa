// The part of Explorer that makes the choices of its passes.
#include <algorithm>
#include <bit>
#include <iterator>

#include "lab/explorer.h"

namespace blk::lab {
namespace {

// Units of a cut that are lost, or kept, alone.
constexpr size_t kMostAlone = 64;
// Of what random choices keep. Those of a pass take them in turn, first of requests, then of what is smaller.
constexpr uint32_t kPercent[] = {10, 50, 90};
constexpr uint64_t kPercents = std::size(kPercent);

void Keep(const Cut::Request& request, std::vector<uint64_t>& kept) {
  for (uint32_t unit = request.first; unit < request.first + request.count; unit++) {
    kept[unit / 64] |= uint64_t{1} << (unit % 64);
  }
}

// The next number of a stream: splitmix64.
uint64_t Draw(uint64_t& state) {
  state += 0x9e3779b97f4a7c15ULL;
  uint64_t n = state;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9ULL;
  n = (n ^ (n >> 27)) * 0x94d049bb133111ebULL;
  return n ^ (n >> 31);
}
uint32_t Draw(uint64_t& state, uint32_t below) { return static_cast<uint32_t>((Draw(state) >> 32) * below >> 32); }

}  // namespace

std::optional<uint64_t> Explorer::StatesOf(const Cut& cut) const {
  const uint64_t most = what_.exhaustive == kNever ? kMostStates : what_.exhaustive;
  if (what_.tearing != Tearing::kNone) return cut.States(most);
  const size_t n = cut.requests.size();
  if (n >= 63 || (uint64_t{1} << n) > most) return std::nullopt;
  return uint64_t{1} << n;
}

uint64_t Explorer::UnitsAlone(const Cut& cut) const {
  const bool torn = what_.tearing != Tearing::kNone && cut.units.size() > cut.requests.size();
  return torn ? std::min(cut.units.size(), kMostAlone) : 0;
}

uint64_t Explorer::Steps(Pass pass, const Cut& cut) const {
  const uint64_t n = cut.requests.size();
  if (pass == Pass::kAllLost) return 1;
  if (n == 0) return 0;
  const uint64_t bits = n < 2 ? 0 : std::bit_width(n - 1);
  const bool enumerated = IsEnumerated(cut);
  // What is torn is not enumerated.
  const bool random = !enumerated || tears();
  switch (pass) {
    case Pass::kPairs:
      if (what_.strength < 2) return 0;
      return what_.strength == 2 ? 2 * bits : 2 * bits + 14 * (bits * (bits - (bits > 0 ? 1 : 0)) / 2);
    case Pass::kFirstRandom: return random ? (what_.run > 0 ? 3 : 2) * kPercents : 0;
    case Pass::kSingles: return enumerated ? 0 : 2 * (n + UnitsAlone(cut));
    case Pass::kPrefixes: return enumerated ? 0 : n;
    case Pass::kRandom: return random ? what_.samples : 0;
    case Pass::kEnumeration: return enumerated ? *StatesOf(cut) : 0;
    default: return 0;
  }
}

void Explorer::FillPairs(const Cut& cut, uint64_t step, Bits& kept) const {
  const uint64_t n = cut.requests.size();
  const uint64_t bits = std::bit_width(n - 1);
  if (step < 2 * bits) {
    for (uint64_t i = 0; i < n; i++) {
      if ((i >> (step / 2) & 1) == (step & 1)) Keep(cut.requests[i], kept);
    }
    return;
  }
  // Two bits of the number tell any three apart, and any of the 14 sets of their values then says who is kept.
  uint64_t pair = (step - 2 * bits) / 14;
  const uint64_t set = (step - 2 * bits) % 14 + 1;
  uint64_t low = 0;
  for (; pair >= bits - 1 - low; low++) pair -= bits - 1 - low;
  const uint64_t high = low + 1 + pair;
  for (uint64_t i = 0; i < n; i++) {
    const uint64_t value = (i >> low & 1) | (i >> high & 1) << 1;
    if ((set >> value & 1) != 0) Keep(cut.requests[i], kept);
  }
}

void Explorer::FillSingles(const Cut& cut, uint64_t step, Bits& kept) const {
  const bool keeps = (step & 1) != 0;
  uint64_t i = step / 2;
  Bits one(kept.size(), 0);
  if (i < cut.requests.size()) {
    Keep(cut.requests[i], one);
  } else {
    // Spread evenly where there are too many.
    i = (i - cut.requests.size()) * cut.units.size() / UnitsAlone(cut);
    one[i / 64] |= uint64_t{1} << (i % 64);
  }
  for (size_t word = 0; word < kept.size(); word++) kept[word] = keeps ? one[word] : ~one[word];
}

void Explorer::FillEnumerated(const Cut& cut, uint64_t step, Bits& kept) const {
  if (what_.tearing == Tearing::kNone) {
    for (size_t i = 0; i < cut.requests.size(); i++) {
      if ((step >> i & 1) != 0) Keep(cut.requests[i], kept);
    }
    return;
  }
  for (const Cut::Place& place : cut.places) {
    const uint64_t digit = step % (uint64_t{place.count} + 1);
    step /= uint64_t{place.count} + 1;
    if (digit == 0) continue;
    const uint32_t unit = cut.order[place.first + digit - 1];
    kept[unit / 64] |= uint64_t{1} << (unit % 64);
  }
}

Explorer::Grain Explorer::GrainOf(uint64_t step) const {
  if (what_.tearing == Tearing::kNone) return Grain::kRequest;
  return static_cast<Grain>(step / kPercents % (what_.run > 0 ? 3 : 2));
}

void Explorer::FillRandom(const Cut& cut, uint32_t percent, Grain grain, uint64_t& random, Bits& kept) const {
  if (grain == Grain::kRequest) {
    for (const Cut::Request& request : cut.requests) {
      if (Draw(random, 100) < percent) Keep(request, kept);
    }
    return;
  }
  const uint64_t start = Draw(random);
  for (size_t unit = 0; unit < cut.units.size(); unit++) {
    // One draw for each run, whichever units of it come first.
    const Atom& atom = model_->atoms()[model_->versions()[cut.units[unit].version].atom];
    uint64_t own = Mix(start, Mix(atom.device, atom.index * model_->unit() / std::max<uint64_t>(what_.run, 1)));
    if (Draw(grain == Grain::kRun ? own : random, 100) < percent) kept[unit / 64] |= uint64_t{1} << (unit % 64);
  }
}

std::vector<Tear> Explorer::RandomTears(const Cut& cut, uint64_t& random, const Bits& kept) const {
  const bool torn = what_.tearing > Tearing::kAtom;
  const bool collateral = model_->setting().collateral;
  std::vector<Tear> tears;
  for (uint32_t unit = 0; unit < cut.units.size(); unit++) {
    if ((kept[unit / 64] >> (unit % 64) & 1) == 0 || Draw(random, 8) != 0) continue;
    // What is durable is whole, though an older version may have outlived it.
    const Version& version = model_->versions()[cut.units[unit].version];
    if (version.covered < cut.at) continue;
    if (words() && model_->events()[version.event].stores) {
      tears.push_back({unit, TearKind::kWords, Draw(random, UINT32_MAX)});
      continue;
    }
    if (collateral && (!torn || Draw(random, 2) == 0)) {
      if (model_->IsPartial(version)) tears.push_back({unit, TearKind::kCollateral, Draw(random, UINT32_MAX)});
      continue;
    }
    if (!torn) continue;
    // Parts of a version, and nothing else, of `shorn`.
    const auto kind = static_cast<TearKind>(Draw(random, what_.tearing == Tearing::kGarbage ? 4 : 2));
    const auto most = static_cast<uint32_t>(model_->unit() - 1);
    const uint32_t seed = kind < TearKind::kGarbage ? 1 + Draw(random, most) : Draw(random, UINT32_MAX);
    tears.push_back({unit, kind, seed});
  }
  return tears;
}

std::shared_ptr<const Choice> Explorer::Step(Pass pass, const std::shared_ptr<const Cut>& cut, uint64_t step) {
  Bits kept((cut->units.size() + 63) / 64, 0);
  std::vector<Tear> tears;
  uint64_t random = Mix(Mix(what_.seed, cut->at), Mix(static_cast<uint64_t>(pass), step));
  switch (pass) {
    case Pass::kPairs: FillPairs(*cut, step, kept); break;
    case Pass::kSingles: FillSingles(*cut, step, kept); break;
    case Pass::kPrefixes:
      for (uint64_t i = 0; i <= step; i++) Keep(cut->requests[i], kept);
      break;
    case Pass::kEnumeration: FillEnumerated(*cut, step, kept); break;
    case Pass::kFirstRandom:
    case Pass::kRandom: {
      const Grain grain = GrainOf(step);
      FillRandom(*cut, kPercent[step % kPercents], grain, random, kept);
      const bool torn = this->tears() && (grain != Grain::kRequest || pass == Pass::kRandom);
      if (torn) tears = RandomTears(*cut, random, kept);
      break;
    }
    default: break;
  }
  if (cut->units.size() % 64 != 0) kept.back() &= (uint64_t{1} << (cut->units.size() % 64)) - 1;
  return std::make_shared<Choice>(cut, std::move(kept), std::move(tears));
}

}  // namespace blk::lab
