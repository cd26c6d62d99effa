// Explorer: gives the choices of a model that are worth a look, none twice: breadth first over the cuts, in passes of
// which each asks for something else: all lost; each pair, this lost and that kept; random ones; one lost, one kept;
// prefixes; more random ones. Of a pass each cut has its first choice before any has its second. A cut with few legal
// states is enumerated instead. Used by one thread at a time.
#ifndef RUMPBLK_LAB_EXPLORER_H_
#define RUMPBLK_LAB_EXPLORER_H_

#include <memory>
#include <optional>
#include <vector>

#include "lab/cut.h"

namespace blk::lab {

// What a crash may leave of an atom: all of a request or nothing; any version; parts of one; bytes of nobody.
// The numbers cross to lib by TEAR.
enum class Tearing : uint8_t { kNone, kAtom, kShorn, kGarbage };

// More than so many are not enumerated.
inline constexpr uint64_t kMostStates = uint64_t{1} << 24;

struct Exploration {
  // Cuts from `from` to `to`, both included; `exact`: `from` alone, whatever is there.
  uint64_t from = 0;
  uint64_t to = kNever;
  bool exact = false;
  Tearing tearing = Tearing::kAtom;
  uint32_t seed = 0;
  uint32_t samples = 16;
  uint64_t exhaustive = 1024;  // most legal states of a cut that is enumerated; kNever: every cut is
  uint8_t strength = 2;        // 1 single losses, 2 pairs, 3 triples
  uint64_t run = 0;            // bytes that some random choices keep or lose as one; 0: none do
  // Only states that this model of the same events, fewer of which are ignored, has not at the same cut.
  std::shared_ptr<const Model> beyond;
};

// Keys that were seen: 64 bits each, in one piece.
class KeySet {
 public:
  KeySet() : table_(1024, 0) {}
  // -> false: it was there.
  bool Add(uint64_t key);

 private:
  std::vector<uint64_t> table_;
  size_t count_ = 0;
};

class Explorer {
 public:
  // The cuts of a model that an exploration is about.
  static std::vector<uint64_t> CutsOf(const Model& model, uint64_t from, uint64_t to, bool exact);
  // Of ascending cuts those where something is legal that is not in another model of the same events.
  static std::vector<uint64_t> CutsBeyond(const Model& model, const Model& other, const std::vector<uint64_t>& cuts);

  // Errors: EOVERFLOW every cut is to be enumerated, and there are more than 2^24 states · ENOMEM.
  static Result<std::unique_ptr<Explorer>> Make(std::shared_ptr<const Model> model, const Exploration& what);

  // The next choice; null at the end.
  std::shared_ptr<const Choice> Next();

  uint64_t generated() const { return generated_; }
  uint64_t distinct() const { return distinct_; }
  size_t cuts() const { return cuts_.size(); }
  // Whether every legal state of every cut was generated, but for torn atoms.
  bool complete() const { return ended_ && all_enumerated_ && !tears(); }

 private:
  enum class Pass : uint8_t { kAllLost, kPairs, kFirstRandom, kSingles, kPrefixes, kRandom, kEnumeration, kEnd };
  using Bits = std::vector<uint64_t>;

  Explorer(std::shared_ptr<const Model> model, const Exploration& what);

  // The cut of that index, made when it is looked at.
  std::shared_ptr<const Cut> CutAt(size_t index);
  bool IsEnumerated(const Cut& cut) const { return StatesOf(cut).has_value(); }
  std::optional<uint64_t> StatesOf(const Cut& cut) const;
  // How many choices a pass makes of a cut, and one of them.
  uint64_t Steps(Pass pass, const Cut& cut) const;
  std::shared_ptr<const Choice> Step(Pass pass, const std::shared_ptr<const Cut>& cut, uint64_t step);
  void FillPairs(const Cut& cut, uint64_t step, Bits& kept) const;
  void FillSingles(const Cut& cut, uint64_t step, Bits& kept) const;
  void FillEnumerated(const Cut& cut, uint64_t step, Bits& kept) const;
  // What a random choice decides about: whole requests, atoms, or runs of them.
  enum class Grain : uint8_t { kRequest, kAtom, kRun };
  void FillRandom(const Cut& cut, uint32_t percent, Grain grain, uint64_t& random, Bits& kept) const;
  Grain GrainOf(uint64_t step) const;
  // Whether some choices have tears.
  bool tears() const { return what_.tearing > Tearing::kAtom || model_->setting().collateral || words(); }
  bool words() const { return what_.tearing >= Tearing::kAtom && model_->has_stores(); }
  std::vector<Tear> RandomTears(const Cut& cut, uint64_t& random, const Bits& kept) const;
  uint64_t UnitsAlone(const Cut& cut) const;
  // Whether it has not been given before, and is wanted.
  bool IsNew(const Choice& choice);
  // Whether a model of the same events has the state too.
  bool IsIn(const Model& other, const Choice& choice) const;
  // Goes to where the next choice is looked for. -> false: that was the last cut of the pass.
  bool GoOn();
  // What the floors of all cuts contribute to keys.
  void FindFloors();

  const std::shared_ptr<const Model> model_;
  const Exploration what_;
  std::vector<uint64_t> cuts_;
  std::vector<uint64_t> floors_;  // by cut
  std::vector<std::shared_ptr<const Cut>> made_;
  size_t made_units_ = 0;
  KeySet seen_;
  uint64_t generated_ = 0;
  uint64_t distinct_ = 0;
  bool ended_ = false;
  bool all_enumerated_ = true;
  // Where it is: in a round of the pass, in which each cut has the choice of that number.
  Pass pass_ = Pass::kAllLost;
  size_t cut_ = 0;
  uint64_t round_ = 0;
  uint64_t step_ = 0;
  std::shared_ptr<const Cut> at_;
  std::vector<uint64_t> steps_;  // by cut, of the pass
  bool more_rounds_ = false;
};

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_EXPLORER_H_
