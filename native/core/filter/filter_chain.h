// FilterChain: the filters of one open, in their order, before the strategy that does the pieces. entry() is where
// requests are admitted and run: that strategy itself while no filter is in force, so that who has none pays nothing.
// Thread-safe, but for Switch(), which one thread at a time calls.
// A combination of filters is made when it is first in force, and stays: a request goes on through the one that it was
// admitted to, whatever is switched meanwhile.
#ifndef RUMPBLK_CORE_FILTER_FILTER_CHAIN_H_
#define RUMPBLK_CORE_FILTER_FILTER_CHAIN_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "core/request/filter.h"
#include "core/request/strategy.h"

namespace blk {

class FilterChain {
 public:
  struct Link {
    Filter* filter;
    bool switched = false;  // off until Switch(); others are always in force
  };

  // `links` from the inside to the outside: of two filters that stop a request at the same piece the outer one counts,
  // and of two that refuse a piece. `path` and the filters outlive this object.   REQUIRES: few are switched.
  FilterChain(Strategy& path, const std::vector<Link>& links);
  ~FilterChain();
  FilterChain(const FilterChain&) = delete;
  FilterChain& operator=(const FilterChain&) = delete;

  // Acquire, with the release in Switch(): who finds a filter in force finds it set up.   Thread: any.
  Strategy& entry() const { return *entry_.load(std::memory_order_acquire); }

  // Puts a switched filter in force, or takes it out. Requests admitted before keep what they were admitted to.
  // Errors: ENOMEM, and nothing has changed: one that was to be taken out is asked still, and has to bear that; this is
  // no failure then.   REQUIRES: it is one of `links`, and switched.
  Status Switch(const Filter& filter, bool on);

 private:
  class Stack;

  // Where requests go with those filters in force; made if need be. Throws std::bad_alloc.
  Strategy& EntryOf(size_t on);

  const std::vector<Link> links_;
  std::vector<const Filter*> switched_;
  size_t on_ = 0;  // bit i: switched_[i] is in force
  // By what is in force; null where that is nothing, or was not so far.
  std::vector<std::unique_ptr<Stack>> stacks_;
  Strategy& path_;
  std::atomic<Strategy*> entry_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_FILTER_FILTER_CHAIN_H_
