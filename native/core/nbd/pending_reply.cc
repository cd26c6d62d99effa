#include "core/nbd/pending_reply.h"

#include <algorithm>

namespace blk::nbd {

bool Coverage::Add(uint32_t begin, uint32_t end) {
  const bool none = first_.first == first_.second;
  // In order, as nearly all come.
  if (none || (begin == first_.second && more_.empty())) {
    if (none) first_.first = begin;
    first_.second = end;
    return true;
  }
  // The rare case, all of them in one list.
  std::vector<Stretch> all;
  all.reserve(more_.size() + 2);
  all.push_back(first_);
  all.insert(all.end(), more_.begin(), more_.end());
  const auto next = std::lower_bound(all.begin(), all.end(), Stretch{begin, begin});
  if (next != all.end() && next->first < end) return false;
  if (next != all.begin() && std::prev(next)->second > begin) return false;
  auto place = all.insert(next, {begin, end});
  if (std::next(place) != all.end() && std::next(place)->first == end) {
    place->second = std::next(place)->second;
    all.erase(std::next(place));
  }
  if (place != all.begin() && std::prev(place)->second == begin) {
    std::prev(place)->second = place->second;
    all.erase(place);
  }
  if (all.size() > kMost) return false;
  first_ = all.front();
  more_.assign(all.begin() + 1, all.end());
  return true;
}

}  // namespace blk::nbd
