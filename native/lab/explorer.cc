#include "lab/explorer.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "core/base/no_memory.h"

namespace blk::lab {
namespace {

// Units of cuts that are kept from one pass to the next; others are made again.
constexpr size_t kMostUnits = 1 << 20;
constexpr uint64_t kMostStates = uint64_t{1} << 24;
// Units of a cut that are lost, or kept, alone.
constexpr size_t kMostAlone = 64;
constexpr uint64_t kFirstRandom = 6;

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

bool KeySet::Add(uint64_t key) {
  key = key == 0 ? 1 : key;
  if (count_ * 2 >= table_.size()) {
    std::vector<uint64_t> larger(table_.size() * 2, 0);
    for (const uint64_t old : table_) {
      if (old == 0) continue;
      size_t place = static_cast<size_t>(old) & (larger.size() - 1);
      while (larger[place] != 0) place = (place + 1) & (larger.size() - 1);
      larger[place] = old;
    }
    table_ = std::move(larger);
  }
  size_t place = static_cast<size_t>(key) & (table_.size() - 1);
  for (; table_[place] != 0; place = (place + 1) & (table_.size() - 1)) {
    if (table_[place] == key) return false;
  }
  table_[place] = key;
  count_++;
  return true;
}

std::vector<uint64_t> Explorer::CutsOf(const Model& model, uint64_t from, uint64_t to, bool exact) {
  if (exact) return {from};
  const auto& all = model.cuts();
  return {std::lower_bound(all.begin(), all.end(), from), std::upper_bound(all.begin(), all.end(), to)};
}

Explorer::Explorer(std::shared_ptr<const Model> model, const Exploration& what)
    : model_(std::move(model)), what_(what), cuts_(CutsOf(*model_, what.from, what.to, what.exact)) {
  made_.resize(cuts_.size());
}

Result<std::unique_ptr<Explorer>> Explorer::Make(std::shared_ptr<const Model> model, const Exploration& what) {
  std::unique_ptr<Explorer> explorer;
  bool fits = true;
  const bool had = HadMemory([&] {
    explorer.reset(new Explorer(std::move(model), what));
    explorer->FindFloors();
    if (what.exhaustive != kNever) return;
    uint64_t states = 0;
    for (size_t i = 0; i < explorer->cuts_.size() && fits; i++) {
      const auto more = explorer->StatesOf(*explorer->CutAt(i));
      fits = more.has_value() && (states += *more) <= kMostStates;
    }
  });
  if (!had) return Status{ENOMEM, Op::kTrack};
  if (!fits) return Status{EOVERFLOW, Op::kTrack};
  return explorer;
}

// Atom by atom: what it contributes changes where its oldest version is superseded.
void Explorer::FindFloors() {
  floors_.assign(cuts_.size(), 0);
  // From which cut on the sum is another one, as differences.
  std::vector<std::pair<uint64_t, uint64_t>> changes;
  for (uint32_t i = 0; i < model_->atoms().size(); i++) {
    const auto versions = model_->VersionsOf(model_->atoms()[i]);
    uint64_t held = KeyOfContent(i, versions[0].content);
    for (size_t k = 1; k < versions.size() && versions[k].since != kNever; k++) {
      // The last of those that follow at the same event.
      if (k + 1 < versions.size() && versions[k + 1].since == versions[k].since) continue;
      const uint64_t now = KeyOfContent(i, versions[k].content);
      changes.emplace_back(versions[k].since, now - held);
      held = now;
    }
  }
  std::sort(changes.begin(), changes.end());
  uint64_t sum = 0;
  size_t next = 0;
  for (size_t i = 0; i < cuts_.size(); i++) {
    for (; next < changes.size() && changes[next].first < cuts_[i]; next++) sum += changes[next].second;
    floors_[i] = sum;
  }
}

std::shared_ptr<const Cut> Explorer::CutAt(size_t index) {
  if (made_[index]) return made_[index];
  auto cut = Cut::Make(model_, cuts_[index]);
  if (made_units_ + cut->units.size() <= kMostUnits) {
    made_units_ += cut->units.size();
    made_[index] = cut;
  }
  return cut;
}

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
  const bool random = !enumerated || what_.tearing > Tearing::kAtom;
  switch (pass) {
    case Pass::kPairs:
      if (what_.strength < 2) return 0;
      return what_.strength == 2 ? 2 * bits : 2 * bits + 14 * (bits * (bits - (bits > 0 ? 1 : 0)) / 2);
    case Pass::kFirstRandom: return random ? kFirstRandom : 0;
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

void Explorer::FillRandom(const Cut& cut, uint64_t step, bool torn, uint64_t& random, Bits& kept) const {
  static constexpr uint32_t kPercent[] = {10, 50, 90};
  const uint32_t percent = kPercent[step % 3];
  if (!torn) {
    for (const Cut::Request& request : cut.requests) {
      if (Draw(random, 100) < percent) Keep(request, kept);
    }
    return;
  }
  for (size_t unit = 0; unit < cut.units.size(); unit++) {
    if (Draw(random, 100) < percent) kept[unit / 64] |= uint64_t{1} << (unit % 64);
  }
}

std::vector<Tear> Explorer::RandomTears(const Cut& cut, uint64_t& random, const Bits& kept) const {
  std::vector<Tear> tears;
  for (uint32_t unit = 0; unit < cut.units.size(); unit++) {
    if ((kept[unit / 64] >> (unit % 64) & 1) == 0 || Draw(random, 8) != 0) continue;
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
      // Whole requests first, then atoms of them.
      const bool torn = what_.tearing != Tearing::kNone && step / 3 % 2 == 1;
      FillRandom(*cut, step, torn, random, kept);
      if (what_.tearing > Tearing::kAtom && (torn || pass == Pass::kRandom)) tears = RandomTears(*cut, random, kept);
      break;
    }
    default: break;
  }
  if (cut->units.size() % 64 != 0) kept.back() &= (uint64_t{1} << (cut->units.size() % 64)) - 1;
  return std::make_shared<Choice>(cut, std::move(kept), std::move(tears));
}

bool Explorer::IsNew(const Choice& choice) { return seen_.Add(Mix(floors_[cut_] + choice.Key(), choice.cut().marks)); }

std::shared_ptr<const Choice> Explorer::Next() {
  while (pass_ != Pass::kEnd) {
    if (cut_ == cuts_.size()) {
      pass_ = static_cast<Pass>(static_cast<uint8_t>(pass_) + 1);
      cut_ = 0;
      step_ = 0;
      at_ = nullptr;
      continue;
    }
    if (!at_) {
      at_ = CutAt(cut_);
      steps_ = Steps(pass_, *at_);
      all_enumerated_ = all_enumerated_ && IsEnumerated(*at_);
    }
    if (step_ == steps_) {
      cut_++;
      step_ = 0;
      at_ = nullptr;
      continue;
    }
    auto choice = Step(pass_, at_, step_++);
    generated_++;
    if (!IsNew(*choice)) continue;
    distinct_++;
    return choice;
  }
  ended_ = true;
  return nullptr;
}

}  // namespace blk::lab
