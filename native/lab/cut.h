// Cut: a model at one cut: its units, each a legal version of an atom that is not its oldest legal one, and the
// requests that made them. Choice: of each unit whether it is kept, and how it is torn: what a crash may leave there.
// Fixed once made; thread-safe.
#ifndef RUMPBLK_LAB_CUT_H_
#define RUMPBLK_LAB_CUT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lab/model.h"

namespace blk::lab {

// An atom that is in parts what was written, or nothing of it. The numbers cross to lib by TEARS.
// kCollateral: the atom is what was written, and the neighbours of it hold bytes of nobody.
// kWords: of stores, each word of eight bytes is there or not.
enum class TearKind : uint8_t { kPrefix, kSuffix, kGarbage, kError, kCollateral, kWords };

struct Tear {
  uint32_t unit = 0;
  TearKind kind = TearKind::kPrefix;
  uint32_t seed = 0;  // bytes of the new version, or where random bytes come from
};

struct Cut {
  struct Unit {
    uint32_t version = 0;
    uint32_t place = 0;    // index in `places`
    uint32_t request = 0;  // index in `requests`
    uint64_t delta = 0;    // what the key of a state gains by it
  };
  // An atom with units: those from `first` on in `order`, as they began.
  struct Place {
    uint32_t atom = 0;
    uint32_t floor = 0;  // index of the version
    uint32_t first = 0;
    uint32_t count = 0;
  };
  // A request with units, which lie side by side.
  struct Request {
    uint32_t event = 0;
    uint32_t first = 0;
    uint32_t count = 0;
  };

  static std::shared_ptr<const Cut> Make(std::shared_ptr<const Model> model, uint64_t at);

  std::shared_ptr<const Model> model;
  uint64_t at = 0;
  size_t marks = 0;
  std::vector<Unit> units;  // by request, then place
  std::vector<Place> places;
  std::vector<uint32_t> order;  // units, by place
  std::vector<Request> requests;

  // Legal states, atom by atom; nothing where there are more than `most`.
  std::optional<uint64_t> States(uint64_t most) const;
};

// What an atom contributes to the key of a state by what it holds.
inline uint64_t KeyOfContent(uint32_t atom, uint64_t content) { return Mix(atom, content); }

class Choice {
 public:
  Choice(std::shared_ptr<const Cut> cut, std::vector<uint64_t> kept, std::vector<Tear> tears);

  const Cut& cut() const { return *cut_; }
  const std::shared_ptr<const Cut>& shared_cut() const { return cut_; }
  bool Keeps(uint32_t unit) const { return (kept_[unit / 64] >> (unit % 64) & 1) != 0; }
  const std::vector<Tear>& tears() const { return tears_; }
  // How a unit is torn; null: it is not.
  const Tear* TearOf(uint32_t unit) const;
  // The neighbours of a unit that was written in part, on the sides where it was, as atoms.
  static std::vector<uint32_t> NeighboursOf(const Cut& cut, uint32_t unit);

  // The newest unit of a place that is kept; nothing where none is, and it holds its floor.
  std::optional<uint32_t> NewestOf(const Cut::Place& place) const;
  // What the state of it gains over the floor of its cut.
  uint64_t Key() const;

  // What an atom holds, by a number that says so: equal numbers, equal contents.
  uint64_t ContentOf(const Atom& atom) const;
  // Fills in the bytes of an atom. -> false: they cannot be read.
  bool Fill(const Atom& atom, uint8_t* bytes) const;

  // `rbl1.<digest>.<cut>.<runs>`, with a section for each tear.
  std::string Token() const;
  // What the model of a token is like.
  static Model::Setting SettingOf(const std::string& token);
  // Errors: EINVAL it is none · ESTALE it is of a recording of other requests.
  static Result<std::shared_ptr<const Choice>> FromToken(std::shared_ptr<const Model> model, const std::string& token);

 private:
  const Cut::Place* PlaceOf(const Atom& atom) const;
  // Fills in what is left of a torn unit over its floor. -> false: it cannot be read.
  bool FillTorn(const Cut::Unit& unit, const Tear& tear, uint8_t* bytes) const;
  // By its bytes: two tears that leave the same are one. `room`: for the bytes of a unit.
  uint64_t TornContent(const Cut::Unit& unit, const Tear& tear, std::vector<uint8_t>& room) const;
  // As ContentOf(), whatever its neighbours did.
  uint64_t OwnContentOf(const Atom& atom) const;
  // Where the bytes come from of an atom that a neighbour destroyed.
  const uint32_t* DestroyedBy(const Atom& atom) const;

  const std::shared_ptr<const Cut> cut_;
  const std::vector<uint64_t> kept_;
  const std::vector<Tear> tears_;  // by unit
  // Atoms that hold bytes of nobody, and where these come from. Few.
  std::vector<std::pair<uint32_t, uint32_t>> destroyed_;
};

// Of device, kind, place, length and promise of the requests that have begun before a cut.
uint32_t DigestOf(const Model& model, uint64_t cut);
// In eight hexadecimal digits.
std::string DigestText(const Model& model, uint64_t cut);
// Whether two events are the same to it.
bool SameToDigest(const Event& a, const Event& b);

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_CUT_H_
