// Model: which contents a crash may leave, of a recording as it was at one moment: the versions of each atom, and from
// which events on each is covered, or superseded by one that is. Fixed once it is made; thread-safe.
// A cut `c` has the events with numbers below `c` before it. A version is legal there if it has begun, and no version
// is covered that began after it was acknowledged.
#ifndef RUMPBLK_LAB_MODEL_H_
#define RUMPBLK_LAB_MODEL_H_

#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lab/contents.h"
#include "lab/recording.h"

namespace blk::lab {

// What an atom holds from a write on: all of it, the parts that were not written as the version before has them.
struct Version {
  uint64_t begin = 0;
  uint64_t end = 0;              // acknowledged; kNever
  uint64_t covered = kNever;     // durable from the event of this number on
  uint64_t superseded = kNever;  // not legal any more behind it
  uint64_t since = 0;            // behind it, all versions before this one are superseded
  uint32_t event = 0;            // index of the write; nothing of version 0
  uint32_t atom = 0;
  uint32_t content = 0;
  bool garbage = false;  // what a discard may leave beside zeros

  bool LegalAt(uint64_t cut) const { return begin < cut && superseded >= cut; }
  // Whether it is legal, and not the oldest that is.
  bool IsUnitAt(uint64_t cut) const { return LegalAt(cut) && since >= cut; }
};

// An atom that was written: version 0, its base, is the first of them.
struct Atom {
  uint16_t device = 0;
  uint64_t index = 0;  // in atomic units of the medium
  uint32_t first = 0;
  uint32_t count = 0;
};

class Model {
 public:
  struct Setting {
    bool process = false;           // the process ends, not the power: what was acknowledged is there
    bool discards_any = false;      // what was discarded may read as anything, not only as zeros
    bool collateral = false;        // the neighbours of what is written in part are atoms, too
    std::vector<uint32_t> ignored;  // indices of events that cover nothing
  };

  // Reads the base of every atom that was written. Errors: the medium's · ENOMEM.
  static Result<std::shared_ptr<const Model>> Make(std::shared_ptr<Recording> recording, Setting setting);

  Recording& recording() const { return *recording_; }
  const std::vector<Event>& events() const { return events_; }
  const std::vector<Version>& versions() const { return versions_; }
  const std::vector<Atom>& atoms() const { return atoms_; }
  const Contents& contents() const { return contents_; }
  uint64_t unit() const { return unit_; }
  uint64_t end() const { return end_; }
  const Setting& setting() const { return setting_; }

  // Those of an atom, as they began.
  std::span<const Version> VersionsOf(const Atom& atom) const { return {versions_.data() + atom.first, atom.count}; }
  // Indices of the versions that an event made, by place.
  std::span<const uint32_t> VersionsOf(size_t event) const {
    return {by_event_.data() + event_first_[event], event_first_[event + 1] - event_first_[event]};
  }
  // The atom of that index of a device; null when it was not written.
  const Atom* Find(uint16_t device, uint64_t index) const {
    const auto found = places_.find(KeyOf(device, index));
    return found == places_.end() ? nullptr : &atoms_[found->second];
  }
  // The oldest version that is legal at a cut: there is one.
  const Version& FloorOf(const Atom& atom, uint64_t cut) const;
  // The part of its device that an atom is.
  MediumSpan SpanOf(const Atom& atom) const;
  // Whether some events are stores, which may be there word by word.
  bool has_stores() const { return has_stores_; }
  // Whether a version was written to a part of its atom alone.
  bool IsPartial(const Version& version) const;

  // The cuts that count: just before something becomes covered, just before a mark, and the end. Between two of them
  // legal sets only grow. Ascending.
  const std::vector<uint64_t>& cuts() const { return cuts_; }
  // Index of the first event that may have a unit at a cut.
  size_t FirstLive(uint64_t cut) const;
  // Marks before a cut.
  size_t MarksBefore(uint64_t cut) const;
  // How many events have begun before it.
  size_t EventsBefore(uint64_t cut) const;

 private:
  Model(std::shared_ptr<Recording> recording, Setting setting);

  static uint64_t KeyOf(uint16_t device, uint64_t index) { return (uint64_t{device} << 48) + index; }

  struct Flush {
    uint64_t begin, end;
  };
  // Those of a domain, by their begin: flushes that cover, and those that failed and have lost what they were about.
  struct Flushes {
    std::vector<Flush> good, failed;
  };
  std::vector<Flushes> FlushesByDomain() const;
  // When the acknowledged part of a write is covered.
  uint64_t CoverageOf(uint32_t event, const Flushes& flushes) const;
  // Makes atoms and versions, without contents.
  void MakeVersions();
  struct Made {
    uint64_t key;
    Version version;
  };
  // Of bytes [from, to) of an event. Where neighbours count, of what is written in part an entry without a version
  // for each of them.
  void AddVersions(uint32_t event, uint64_t from, uint64_t to, uint64_t covered, std::vector<Made>& made) const;
  Status FillIn();
  // Interns what the versions of an atom hold; `bytes`: room for one.
  Status FillInAtom(const Atom& atom, std::vector<uint8_t>& bytes);
  void Supersede();
  void FindCuts();

  const std::shared_ptr<Recording> recording_;
  const Setting setting_;
  const uint64_t unit_;
  std::vector<Event> events_;
  uint64_t end_ = 1;
  bool has_stores_ = false;
  std::vector<Version> versions_;
  std::vector<Atom> atoms_;
  std::vector<size_t> event_first_;
  std::vector<uint32_t> by_event_;
  std::unordered_map<uint64_t, uint32_t> places_;
  std::vector<uint64_t> cuts_;
  std::vector<uint64_t> marks_;
  std::vector<uint64_t> live_until_;  // by event: the last cut at which it, or one before, has a unit
  Contents contents_;
};

}  // namespace blk::lab

#endif  // RUMPBLK_LAB_MODEL_H_
