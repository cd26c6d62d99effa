// ChangeTracks: who wants to know what is changed on one medium. Each change is marked before it may reach the medium
// and once more before it is answered: a map that is taken in between leaves a mark behind, so that a change is never
// between two maps. What is stored through a lease is unseen, so all of a lease counts as changed as long as it lasts.
// Thread-safe. Lock order: mu_ is a leaf.
#ifndef RUMPBLK_CORE_BASE_CHANGE_TRACKS_H_
#define RUMPBLK_CORE_BASE_CHANGE_TRACKS_H_

#include <list>
#include <memory>
#include <vector>

#include "core/base/change_map.h"
#include "core/base/sync.h"

namespace blk {

class ChangeTracks {
 public:
  // A lease between BeginStores() and EndStores().
  using Stores = std::list<MediumSpan>::iterator;

  // From here on changes are marked in `map`.
  void Add(std::shared_ptr<ChangeMap> map) EXCLUDES(mu_);
  void Remove(const ChangeMap& map) EXCLUDES(mu_);
  bool any() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return !maps_.empty();
  }

  // Whether there is a lease that is stored to.
  bool AnyStores() const EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return !stores_.empty();
  }

  void Mark(MediumSpan changed) EXCLUDES(mu_);

  // Takes the one span of `stores` over; allocates nothing.
  Stores BeginStores(std::list<MediumSpan>& stores) EXCLUDES(mu_);
  void EndStores(Stores stores) EXCLUDES(mu_);

  // Moves the marks of `from`, which is one of the maps, to `to`; what is being stored to is marked in both.
  void Take(ChangeMap& from, ChangeMap& to) EXCLUDES(mu_);
  // The same, and nobody wants the marks.
  void Clear(ChangeMap& map) EXCLUDES(mu_);

 private:
  void MarkStores(ChangeMap& map) REQUIRES(mu_) {
    for (const MediumSpan& span : stores_) map.Mark(span);
  }

  mutable Mutex mu_;
  std::vector<std::shared_ptr<ChangeMap>> maps_ GUARDED_BY(mu_);
  std::list<MediumSpan> stores_ GUARDED_BY(mu_);
};

}  // namespace blk

#endif  // RUMPBLK_CORE_BASE_CHANGE_TRACKS_H_
