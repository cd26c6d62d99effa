// Explorations and choices, as NativeLab of lib/native/binding.ts has them.
#include <algorithm>
#include <cerrno>
#include <map>

#include "addon/define.h"
#include "addon/edge.h"
#include "addon/lab_held.h"
#include "lab/explorer.h"

namespace blk_addon {
namespace {

using blk::Status;
using blk::lab::Choice;
using blk::lab::Cut;
using blk::lab::Explorer;
using blk::lab::Model;

const Status kWrong{EINVAL, blk::Op::kTrack};

// `setting`: the argument that has the numbers of MODEL.
blk::Result<std::shared_ptr<const Model>> ModelAt(const Args& args, size_t setting) {
  return HeldAt<HeldRecording>(args, 0).Model(HeldRecording::SettingOf(args.Int(setting)));
}

const HeldChoice& ChoiceAt(const Args& args, size_t i) { return HeldAt<HeldChoice>(args, i); }

napi_value ToChoice(napi_env env, HeldChoice choice) {
  return ToExternal(env, std::make_unique<HeldChoice>(std::move(choice)));
}

// Infinity is every one behind.
uint64_t NumberAt(const Args& args, size_t i) {
  const double number = args.Number(i);
  return number >= Num(blk::kMaxSafeInteger) ? blk::kMaxSafeInteger : static_cast<uint64_t>(std::max(number, 0.0));
}

// (recording, from, to, exact, model) -> numbers, or a failure.
napi_value Cuts(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto model = ModelAt(args, 4);
  if (!model.ok()) return ToFailure(env, model.status());
  std::vector<double> rows;
  for (const uint64_t at : Explorer::CutsOf(*model.value(), NumberAt(args, 1), NumberAt(args, 2), args.Bool(3))) {
    const auto cut = Cut::Make(model.value(), at);
    rows.insert(rows.end(), {Num(at), Num(cut->marks), Num(cut->units.size())});
  }
  return ToNumbers(env, rows);
}

// Units of an atom, or of whole requests, by how many versions there are.
std::map<uint64_t, uint64_t> VersionsIn(const Cut& cut, blk::lab::Tearing tearing) {
  std::map<uint64_t, uint64_t> versions;
  if (tearing == blk::lab::Tearing::kNone) {
    if (!cut.requests.empty()) versions[2] = cut.requests.size();
    return versions;
  }
  for (const Cut::Place& place : cut.places) versions[uint64_t{place.count} + 1]++;
  return versions;
}

// (recording, tear, from, to, exact, model) -> numbers, or a failure.
napi_value CountStates(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto model = ModelAt(args, 5);
  if (!model.ok()) return ToFailure(env, model.status());
  std::vector<double> rows;
  for (const uint64_t at : Explorer::CutsOf(*model.value(), NumberAt(args, 2), NumberAt(args, 3), args.Bool(4))) {
    const auto cut = Cut::Make(model.value(), at);
    const auto versions = VersionsIn(*cut, static_cast<blk::lab::Tearing>(args.Int(1)));
    rows.insert(rows.end(), {Num(at), Num(cut->units.size()), Num(versions.size())});
    for (const auto& [count, atoms] : versions) rows.insert(rows.end(), {Num(count), Num(atoms)});
  }
  return ToNumbers(env, rows);
}

// (recording, from, to, exact, tear, model, seed, samples, exhaustive, strength, run, beyond) -> an explorer, or a
// failure.
napi_value Explore(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto model = ModelAt(args, 5);
  if (!model.ok()) return ToFailure(env, model.status());
  blk::lab::Exploration what;
  what.from = NumberAt(args, 1);
  what.to = NumberAt(args, 2);
  what.exact = args.Bool(3);
  what.tearing = static_cast<blk::lab::Tearing>(args.Int(4));
  what.seed = static_cast<uint32_t>(args.Int(6));
  what.samples = static_cast<uint32_t>(args.Int(7));
  what.exhaustive = args.Number(8) < 0 ? blk::lab::kNever : static_cast<uint64_t>(args.Int(8));
  what.strength = static_cast<uint8_t>(args.Int(9));
  what.run = NumberAt(args, 10);
  if (args.Bool(11)) {
    const auto whole = HeldAt<HeldRecording>(args, 0).Whole(HeldRecording::SettingOf(args.Int(5)));
    if (!whole.ok()) return ToFailure(env, whole.status());
    what.beyond = whole.value();
  }
  auto explorer = Explorer::Make(model.value(), what);
  return explorer.ok() ? ToExternal(env, explorer.Take()) : ToFailure(env, explorer.status());
}

// (explorer, into) -> a choice, or undefined.
napi_value ExploreNext(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  Explorer& explorer = HeldAt<Explorer>(args, 0);
  const HeldChoice choice = explorer.Next();
  const double numbers[] = {choice ? Num(choice->cut().at) : 0,
                            choice ? Num(choice->cut().marks) : 0,
                            Num(explorer.generated()),
                            Num(explorer.distinct()),
                            Num(explorer.cuts()),
                            explorer.complete() ? 1.0 : 0.0};
  const Numbers into = NumbersAt(args, 1);
  std::copy_n(numbers, std::min(into.size, std::size(numbers)), into.data);
  return choice ? ToChoice(env, choice) : nullptr;
}

// Of a unit: event, device, position, length and stack.
void AddUnit(const Cut& cut, const Cut::Unit& unit, std::vector<double>& rows) {
  const Model& model = *cut.model;
  const blk::lab::Version& version = model.versions()[unit.version];
  const blk::lab::Atom& atom = model.atoms()[version.atom];
  const blk::MediumSpan span = model.SpanOf(atom);
  const uint64_t begin = model.recording().parts()[atom.device].span.begin.value;
  rows.insert(rows.end(),
              {Num(version.event), Num(atom.device), Num(span.begin.value - begin),
               Num(span.end.value - span.begin.value), static_cast<double>(model.events()[version.event].stack)});
}

// (recording, cut, model) -> numbers, or a failure.
napi_value CutUnits(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto model = ModelAt(args, 2);
  if (!model.ok()) return ToFailure(env, model.status());
  const auto cut = Cut::Make(model.value(), NumberAt(args, 1));
  std::vector<double> rows;
  for (const Cut::Unit& unit : cut->units) {
    AddUnit(*cut, unit, rows);
    rows.push_back(model.value()->versions()[unit.version].garbage ? 1 : 0);
  }
  return ToNumbers(env, rows);
}

// (recording, cut, kept, tears, model) -> a choice, or a failure.
napi_value ChoiceOf(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto model = ModelAt(args, 4);
  if (!model.ok()) return ToFailure(env, model.status());
  auto cut = Cut::Make(model.value(), NumberAt(args, 1));
  const ViewBytes kept = args.View(2);
  if (kept.size != cut->units.size()) return ToFailure(env, kWrong);
  std::vector<uint64_t> bits((kept.size + 63) / 64, 0);
  for (size_t unit = 0; unit < kept.size; unit++) {
    if (kept.data[unit] != 0) bits[unit / 64] |= uint64_t{1} << (unit % 64);
  }
  const Numbers numbers = NumbersAt(args, 3);
  std::vector<blk::lab::Tear> tears;
  for (size_t i = 0; i + 3 <= numbers.size; i += 3) {
    const double* const row = numbers.data + i;
    const bool fits =
        row[0] >= 0 && row[0] < Num(kept.size) && row[1] >= 0 && row[1] <= 5 && row[2] >= 0 && row[2] <= UINT32_MAX;
    if (!fits) return ToFailure(env, kWrong);
    tears.push_back({static_cast<uint32_t>(row[0]), static_cast<blk::lab::TearKind>(static_cast<int>(row[1])),
                     static_cast<uint32_t>(row[2])});
  }
  std::sort(tears.begin(), tears.end(), [](const auto& a, const auto& b) { return a.unit < b.unit; });
  return ToChoice(env, std::make_shared<Choice>(std::move(cut), std::move(bits), std::move(tears)));
}

napi_value ChoiceKept(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const HeldChoice& choice = ChoiceAt(args, 0);
  Napi::Buffer<uint8_t> kept = Napi::Buffer<uint8_t>::New(env, choice->cut().units.size());
  if (kept.IsEmpty()) return nullptr;
  for (uint32_t unit = 0; unit < kept.Length(); unit++) kept.Data()[unit] = choice->Keeps(unit) ? 1 : 0;
  return kept;
}

napi_value ChoiceTears(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  std::vector<double> rows;
  for (const blk::lab::Tear& tear : ChoiceAt(args, 0)->tears()) {
    rows.insert(rows.end(), {Num(tear.unit), static_cast<double>(tear.kind), Num(tear.seed)});
  }
  return ToNumbers(env, rows);
}

napi_value ChoiceCut(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const Cut& cut = ChoiceAt(args, 0)->cut();
  return ToNumbers(env, {Num(cut.at), Num(cut.marks)});
}

// How a unit came out: by LOSSES; or it is there whole; or it is no more than what a discard may leave.
constexpr int kWhole = -1, kNobody = -2;
int LossOf(const Choice& choice, uint32_t unit) {
  const Cut& cut = choice.cut();
  const auto& versions = cut.model->versions();
  const Cut::Place& place = cut.places[cut.units[unit].place];
  if (versions[cut.units[unit].version].garbage) return kNobody;
  if (!choice.Keeps(unit)) {
    const auto newest = choice.NewestOf(place);
    return versions[newest ? cut.units[*newest].version : place.floor].garbage ? 2 : 0;
  }
  const blk::lab::Tear* const tear = choice.TearOf(unit);
  if (tear == nullptr || tear->kind == blk::lab::TearKind::kCollateral) return kWhole;
  const bool parts = tear->kind < blk::lab::TearKind::kGarbage || tear->kind == blk::lab::TearKind::kWords;
  return parts ? 1 : 2;
}

// Adds a row to those of ChoiceUnits: one of AddUnit(), with the loss before the last number. Neighbours are one.
void AddLoss(const std::vector<double>& unit, int loss, std::vector<double>& rows) {
  double* const last = rows.empty() ? nullptr : rows.data() + rows.size() - 6;
  const bool follows = last != nullptr && last[0] == unit[0] && last[1] == unit[1] && last[2] + last[3] == unit[2] &&
                       last[4] == std::max(loss, 0);
  if (follows) {
    last[3] += unit[3];
    return;
  }
  rows.insert(rows.end(), {unit[0], unit[1], unit[2], unit[3], static_cast<double>(std::max(loss, 0)), unit[4]});
}

// (choice, kept) -> numbers.
napi_value ChoiceUnits(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const HeldChoice& choice = ChoiceAt(args, 0);
  const bool kept = args.Bool(1);
  const Cut& cut = choice->cut();
  const Model& model = *cut.model;
  std::vector<double> rows, row;
  for (uint32_t unit = 0; unit < cut.units.size(); unit++) {
    const int loss = LossOf(*choice, unit);
    row.clear();
    AddUnit(cut, cut.units[unit], row);
    if (loss != kNobody && (loss == kWhole) == kept) AddLoss(row, loss, rows);
    const blk::lab::Tear* const tear = choice->TearOf(unit);
    if (kept || tear == nullptr || tear->kind != blk::lab::TearKind::kCollateral) continue;
    for (const uint32_t atom : Choice::NeighboursOf(cut, unit)) {
      const blk::MediumSpan span = model.SpanOf(model.atoms()[atom]);
      const uint64_t begin = model.recording().parts()[model.atoms()[atom].device].span.begin.value;
      row[2] = Num(span.begin.value - begin);
      row[3] = Num(span.end.value - span.begin.value);
      AddLoss(row, 2, rows);
    }
  }
  return ToNumbers(env, rows);
}

napi_value ChoiceToken(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  return Napi::String::New(env, ChoiceAt(args, 0)->Token());
}

// (recording, token) -> a choice, or a failure.
napi_value ChoiceFromToken(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const std::string token = args.Text(1);
  const auto model = HeldAt<HeldRecording>(args, 0).Model(Choice::SettingOf(token));
  if (!model.ok()) return ToFailure(env, model.status());
  auto choice = Choice::FromToken(model.value(), token);
  return choice.ok() ? ToChoice(env, choice.Take()) : ToFailure(env, choice.status());
}

// (recording, cut) -> eight digits, or a failure.
napi_value Digest(napi_env env, napi_callback_info info) {
  const Args args(env, info);
  const auto model = HeldAt<HeldRecording>(args, 0).Model();
  if (!model.ok()) return ToFailure(env, model.status());
  return Napi::String::New(env, blk::lab::DigestText(*model.value(), NumberAt(args, 1)));
}

}  // namespace

void DefineChoiceCalls(napi_env env, napi_value exports) {
  DefineFunction(env, exports, "cuts", Edge<Cuts>);
  DefineFunction(env, exports, "countStates", Edge<CountStates>);
  DefineFunction(env, exports, "explore", Edge<Explore>);
  DefineFunction(env, exports, "exploreNext", Edge<ExploreNext>);
  DefineFunction(env, exports, "cutUnits", Edge<CutUnits>);
  DefineFunction(env, exports, "choiceOf", Edge<ChoiceOf>);
  DefineFunction(env, exports, "choiceKept", Edge<ChoiceKept>);
  DefineFunction(env, exports, "choiceTears", Edge<ChoiceTears>);
  DefineFunction(env, exports, "choiceCut", Edge<ChoiceCut>);
  DefineFunction(env, exports, "choiceUnits", Edge<ChoiceUnits>);
  DefineFunction(env, exports, "choiceToken", Edge<ChoiceToken>);
  DefineFunction(env, exports, "choiceFromToken", Edge<ChoiceFromToken>);
  DefineFunction(env, exports, "digest", Edge<Digest>);
  DefineStateCalls(env, exports);
}

}  // namespace blk_addon
