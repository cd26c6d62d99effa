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
    case TearKind::kGarbage:
      for (size_t i = 0; i < size; i += 8) {
        const uint64_t word = Mix(tear.seed, i);
        std::memcpy(bytes + i, &word, std::min<size_t>(8, size - i));
      }
      return true;
    case TearKind::kError: return false;
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
    if (tear == nullptr) continue;
    const uint32_t whole = cut_->model->versions()[unit.version].content;
    key += KeyOfContent(place.atom, TornContent(unit, *tear, room)) - KeyOfContent(place.atom, whole);
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
