#include "core/base/change_tracks.h"

#include <algorithm>
#include <utility>

namespace blk {

void ChangeTracks::Add(std::shared_ptr<ChangeMap> map) {
  MutexLock lock(mu_);
  MarkStores(*map);
  maps_.push_back(std::move(map));
}

void ChangeTracks::Remove(const ChangeMap& map) {
  MutexLock lock(mu_);
  maps_.erase(std::remove_if(maps_.begin(), maps_.end(), [&](const auto& each) { return each.get() == &map; }),
              maps_.end());
}

void ChangeTracks::Mark(MediumSpan changed) {
  MutexLock lock(mu_);
  for (const auto& map : maps_) map->Mark(changed);
}

ChangeTracks::Stores ChangeTracks::BeginStores(std::list<MediumSpan>& stores) {
  MutexLock lock(mu_);
  const Stores begun = stores.begin();
  stores_.splice(stores_.end(), stores);
  for (const auto& map : maps_) map->Mark(*begun);
  return begun;
}

void ChangeTracks::EndStores(Stores stores) {
  MutexLock lock(mu_);
  for (const auto& map : maps_) map->Mark(*stores);
  stores_.erase(stores);
}

void ChangeTracks::Take(ChangeMap& from, ChangeMap& to) {
  MutexLock lock(mu_);
  from.MoveTo(to);
  MarkStores(from);
}

void ChangeTracks::Clear(ChangeMap& map) {
  MutexLock lock(mu_);
  map.Clear();
  MarkStores(map);
}

}  // namespace blk
