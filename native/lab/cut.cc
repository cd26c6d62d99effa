#include "lab/cut.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace blk::lab {

std::shared_ptr<const Cut> Cut::Make(std::shared_ptr<const Model> model, uint64_t at) {
  auto cut = std::make_shared<Cut>();
  cut->at = at;
  cut->marks = model->MarksBefore(at);
  std::unordered_map<uint32_t, uint32_t> place_of;
  const size_t stop = model->EventsBefore(at);
  for (size_t event = model->FirstLive(at); event < stop; event++) {
    Request request{static_cast<uint32_t>(event), static_cast<uint32_t>(cut->units.size()), 0};
    for (const uint32_t version : model->VersionsOf(event)) {
      const Version& of = model->versions()[version];
      if (!of.IsUnitAt(at)) continue;
      const auto [found, is_new] = place_of.try_emplace(of.atom, static_cast<uint32_t>(cut->places.size()));
      if (is_new) {
        const Version& floor = model->FloorOf(model->atoms()[of.atom], at);
        cut->places.push_back({of.atom, static_cast<uint32_t>(&floor - model->versions().data()), 0, 0});
      }
      Place& place = cut->places[found->second];
      place.count++;
      const uint64_t delta =
          KeyOfContent(of.atom, of.content) - KeyOfContent(of.atom, model->versions()[place.floor].content);
      cut->units.push_back({version, found->second, static_cast<uint32_t>(cut->requests.size()), delta});
      request.count++;
    }
    if (request.count > 0) cut->requests.push_back(request);
  }
  uint32_t first = 0;
  for (Place& place : cut->places) {
    place.first = first;
    first += place.count;
    place.count = 0;
  }
  cut->order.resize(cut->units.size());
  for (uint32_t unit = 0; unit < cut->units.size(); unit++) {
    Place& place = cut->places[cut->units[unit].place];
    cut->order[place.first + place.count++] = unit;
  }
  cut->model = std::move(model);
  return cut;
}

std::optional<uint64_t> Cut::States(uint64_t most) const {
  uint64_t states = 1;
  for (const Place& place : places) {
    if (__builtin_mul_overflow(states, uint64_t{place.count} + 1, &states) || states > most) return std::nullopt;
  }
  return states;
}

Choice::Choice(std::shared_ptr<const Cut> cut, std::vector<uint64_t> kept, std::vector<Tear> tears)
    : cut_(std::move(cut)), kept_(std::move(kept)), tears_(std::move(tears)) {
  for (const Tear& tear : tears_) {
    if (tear.kind != TearKind::kCollateral || !Keeps(tear.unit)) continue;
    for (const uint32_t atom : NeighboursOf(*cut_, tear.unit)) {
      const bool known =
          std::any_of(destroyed_.begin(), destroyed_.end(), [&](const auto& d) { return d.first == atom; });
      if (!known) destroyed_.emplace_back(atom, tear.seed);
    }
  }
}

std::vector<uint32_t> Choice::NeighboursOf(const Cut& cut, uint32_t unit) {
  const Model& model = *cut.model;
  const Version& version = model.versions()[cut.units[unit].version];
  const Atom& atom = model.atoms()[version.atom];
  const Event& event = model.events()[version.event];
  const MediumSpan span = model.SpanOf(atom);
  std::vector<uint32_t> neighbours;
  const auto add = [&](uint64_t index) {
    if (const Atom* const found = model.Find(atom.device, index)) {
      neighbours.push_back(static_cast<uint32_t>(found - model.atoms().data()));
    }
  };
  const bool after = event.at > span.begin.value, before = event.at + event.length < span.end.value;
  if ((after || before) && event.kind != Kind::kDiscard) {
    if (atom.index > 0) add(atom.index - 1);
    add(atom.index + 1);
  }
  return neighbours;
}

const uint32_t* Choice::DestroyedBy(const Atom& atom) const {
  if (destroyed_.empty()) return nullptr;
  const auto index = static_cast<uint32_t>(&atom - cut_->model->atoms().data());
  const auto found =
      std::find_if(destroyed_.begin(), destroyed_.end(), [&](const auto& d) { return d.first == index; });
  return found == destroyed_.end() ? nullptr : &found->second;
}

const Tear* Choice::TearOf(uint32_t unit) const {
  const auto found = std::lower_bound(tears_.begin(), tears_.end(), unit,
                                      [](const Tear& tear, uint32_t wanted) { return tear.unit < wanted; });
  return found != tears_.end() && found->unit == unit ? &*found : nullptr;
}

std::optional<uint32_t> Choice::NewestOf(const Cut::Place& place) const {
  for (uint32_t i = place.count; i-- > 0;) {
    const uint32_t unit = cut_->order[place.first + i];
    if (Keeps(unit)) return unit;
  }
  return std::nullopt;
}

bool Choice::FillTorn(const Cut::Unit& unit, const Tear& tear, uint8_t* bytes) const {
  const Model& model = *cut_->model;
  const size_t size = model.contents().unit();
  const uint8_t* const content = model.contents()[model.versions()[unit.version].content];
  const uint8_t* const floor = model.contents()[model.versions()[cut_->places[unit.place].floor].content];
  const size_t some = std::min<size_t>(tear.seed, size);
  switch (tear.kind) {
    case TearKind::kPrefix:
      std::memcpy(bytes, content, some);
      std::memcpy(bytes + some, floor + some, size - some);
      return true;
    case TearKind::kSuffix:
      std::memcpy(bytes, floor, size - some);
      std::memcpy(bytes + (size - some), content + (size - some), some);
      return true;
    case TearKind::kGarbage: FillGarbage(tear.seed, bytes, size); return true;
    case TearKind::kError: return false;
    case TearKind::kCollateral: std::memcpy(bytes, content, size); return true;
    case TearKind::kWords:
      for (size_t i = 0; i < size; i += kWord) {
        std::memcpy(bytes + i, ((Mix(tear.seed, i) & 1) == 0 ? floor : content) + i, kWord);
      }
      return true;
  }
  return false;
}

uint64_t Choice::TornContent(const Cut::Unit& unit, const Tear& tear, std::vector<uint8_t>& room) const {
  const Contents& contents = cut_->model->contents();
  room.resize(contents.unit());
  // What cannot be read is the same whatever was there, and nothing that can.
  return FillTorn(unit, tear, room.data()) ? contents.NumberOf(room.data()) : uint64_t{1} << 53;
}

uint64_t Choice::Key() const {
  uint64_t key = 0;
  std::vector<uint8_t> room;
  for (const Cut::Place& place : cut_->places) {
    const auto newest = NewestOf(place);
    if (!newest) continue;
    const Cut::Unit& unit = cut_->units[*newest];
    key += unit.delta;
    const Tear* const tear = tears_.empty() ? nullptr : TearOf(*newest);
    if (tear == nullptr || tear->kind == TearKind::kCollateral) continue;
    const uint32_t whole = cut_->model->versions()[unit.version].content;
    key += KeyOfContent(place.atom, TornContent(unit, *tear, room)) - KeyOfContent(place.atom, whole);
  }
  for (const auto& [atom, seed] : destroyed_) {
    const Atom& of = cut_->model->atoms()[atom];
    key += KeyOfContent(atom, ContentOf(of)) - KeyOfContent(atom, OwnContentOf(of));
  }
  return key;
}

const Cut::Place* Choice::PlaceOf(const Atom& atom) const {
  const auto* const model = cut_->model.get();
  // The atom's versions are few, and one of them is a unit if any is.
  const auto versions = model->VersionsOf(atom);
  for (const Version& version : versions) {
    if (!version.IsUnitAt(cut_->at)) continue;
    const auto request =
        std::partition_point(cut_->requests.begin(), cut_->requests.end(),
                             [&](const Cut::Request& candidate) { return candidate.event < version.event; });
    const auto index = static_cast<uint32_t>(&version - model->versions().data());
    // Of one request they ascend.
    const auto first = cut_->units.begin() + request->first;
    const auto unit = std::partition_point(first, first + request->count,
                                           [&](const Cut::Unit& candidate) { return candidate.version < index; });
    return &cut_->places[unit->place];
  }
  return nullptr;
}

uint64_t Choice::ContentOf(const Atom& atom) const {
  const uint32_t* const seed = DestroyedBy(atom);
  if (seed == nullptr) return OwnContentOf(atom);
  std::vector<uint8_t> room(cut_->model->contents().unit());
  FillGarbage(*seed, room.data(), room.size());
  return cut_->model->contents().NumberOf(room.data());
}

uint64_t Choice::OwnContentOf(const Atom& atom) const {
  const auto& versions = cut_->model->versions();
  const Cut::Place* const place = PlaceOf(atom);
  const auto newest = place != nullptr ? NewestOf(*place) : std::nullopt;
  if (!newest) return cut_->model->FloorOf(atom, cut_->at).content;
  const Cut::Unit& unit = cut_->units[*newest];
  const Tear* const tear = TearOf(*newest);
  if (tear == nullptr) return versions[unit.version].content;
  std::vector<uint8_t> room;
  return TornContent(unit, *tear, room);
}

bool Choice::Fill(const Atom& atom, uint8_t* bytes) const {
  const Model& model = *cut_->model;
  if (const uint32_t* const seed = DestroyedBy(atom)) {
    FillGarbage(*seed, bytes, model.contents().unit());
    return true;
  }
  const Cut::Place* const place = PlaceOf(atom);
  const auto newest = place != nullptr ? NewestOf(*place) : std::nullopt;
  const uint32_t version = newest ? cut_->units[*newest].version : 0;
  const Tear* const tear = newest ? TearOf(*newest) : nullptr;
  if (tear != nullptr) return FillTorn(cut_->units[*newest], *tear, bytes);
  const uint32_t content = newest ? model.versions()[version].content : model.FloorOf(atom, cut_->at).content;
  std::memcpy(bytes, model.contents()[content], model.contents().unit());
  return true;
}

}  // namespace blk::lab
