#include "lab/explorer.h"

#include <algorithm>
#include <cerrno>

#include "core/base/no_memory.h"

namespace blk::lab {
namespace {

// Units of cuts that are kept from one pass to the next; others are made again.
constexpr size_t kMostUnits = 1 << 20;

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

std::vector<uint64_t> Explorer::CutsBeyond(const Model& model, const Model& other, const std::vector<uint64_t>& cuts) {
  // How many versions more are legal behind an event, as differences.
  std::vector<int64_t> more(cuts.size() + 1, 0);
  const auto index = [&](uint64_t behind) {
    return static_cast<size_t>(std::upper_bound(cuts.begin(), cuts.end(), behind) - cuts.begin());
  };
  for (size_t i = 0; i < model.versions().size(); i++) {
    const Version& version = model.versions()[i];
    const uint64_t before = std::max(other.versions()[i].superseded, version.begin);
    if (version.superseded <= before) continue;
    more[index(before)]++;
    if (version.superseded != kNever) more[index(version.superseded)]--;
  }
  std::vector<uint64_t> beyond;
  int64_t now = 0;
  for (size_t i = 0; i < cuts.size(); i++) {
    now += more[i];
    if (now > 0) beyond.push_back(cuts[i]);
  }
  return beyond;
}

Explorer::Explorer(std::shared_ptr<const Model> model, const Exploration& what)
    : model_(std::move(model)), what_(what), cuts_(CutsOf(*model_, what.from, what.to, what.exact)) {
  if (what_.beyond) cuts_ = CutsBeyond(*model_, *what_.beyond, cuts_);
  made_.resize(cuts_.size());
  steps_.resize(cuts_.size());
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

bool Explorer::IsIn(const Model& other, const Choice& choice) const {
  if (!choice.tears().empty()) return false;
  const Cut& cut = choice.cut();
  return std::all_of(cut.places.begin(), cut.places.end(), [&](const Cut::Place& place) {
    const auto newest = choice.NewestOf(place);
    const Version& held = model_->versions()[newest ? cut.units[*newest].version : place.floor];
    const auto versions = other.VersionsOf(other.atoms()[place.atom]);
    return std::any_of(versions.begin(), versions.end(), [&](const Version& version) {
      return version.LegalAt(cut.at) && version.content == held.content;
    });
  });
}

bool Explorer::IsNew(const Choice& choice) {
  return seen_.Add(Mix(floors_[cut_] + choice.Key(), choice.cut().marks)) &&
         !(what_.beyond && IsIn(*what_.beyond, choice));
}

bool Explorer::GoOn() {
  // A cut that is made anew each time gives all that is left of it at once.
  if (at_ && !made_[cut_] && ++step_ < steps_[cut_]) return true;
  if (at_) cut_++;
  for (;; cut_++) {
    if (cut_ == cuts_.size()) {
      if (!more_rounds_) return false;
      more_rounds_ = false;
      round_++;
      cut_ = 0;
    }
    if (round_ == 0) {
      at_ = CutAt(cut_);
      steps_[cut_] = Steps(pass_, *at_);
      all_enumerated_ = all_enumerated_ && IsEnumerated(*at_);
    } else if (made_[cut_]) {
      at_ = made_[cut_];
    } else {
      continue;
    }
    if (round_ >= steps_[cut_]) continue;
    more_rounds_ = more_rounds_ || (made_[cut_] && round_ + 1 < steps_[cut_]);
    step_ = round_;
    return true;
  }
}

std::shared_ptr<const Choice> Explorer::Next() {
  while (pass_ != Pass::kEnd) {
    if (cuts_.empty() || !GoOn()) {
      pass_ = static_cast<Pass>(static_cast<uint8_t>(pass_) + 1);
      cut_ = 0;
      round_ = 0;
      at_ = nullptr;
      continue;
    }
    auto choice = Step(pass_, at_, step_);
    generated_++;
    if (!IsNew(*choice)) continue;
    distinct_++;
    return choice;
  }
  ended_ = true;
  return nullptr;
}

}  // namespace blk::lab
