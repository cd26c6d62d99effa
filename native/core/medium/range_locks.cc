#include "core/medium/range_locks.h"

#include <algorithm>
#include <cassert>

namespace blk {
namespace {

bool Overlaps(const RangeLocks::Range& a, const RangeLocks::Range& b) { return a.begin < b.end && b.begin < a.end; }

}  // namespace

void RangeLocks::Remove(Range range, LockKind kind) {
  const auto found = std::find_if(wants_.begin(), wants_.end(), [&](const Want& want) {
    return want.kind == kind && want.range.begin == range.begin && want.range.end == range.end;
  });
  assert(found != wants_.end());
  wants_.erase(found);
}

bool RangeLocks::has_writer() const {
  return std::any_of(wants_.begin(), wants_.end(), [](const Want& want) { return want.kind == LockKind::kExclusive; });
}

LockKind RangeLocks::strongest() const {
  LockKind kind = LockKind::kNone;
  for (const Want& want : wants_) {
    if (want.range.begin < want.range.end) kind = std::max(kind, want.kind);
  }
  return kind;
}

// Between two neighbours among them nothing begins or ends, neither what is wanted nor what is held.
std::vector<uint64_t> RangeLocks::Boundaries() const {
  std::vector<uint64_t> at;
  for (const Want& want : wants_) at.insert(at.end(), {want.range.begin, want.range.end});
  for (const Held& held : held_) at.insert(at.end(), {held.range.begin, held.range.end});
  std::sort(at.begin(), at.end());
  at.erase(std::unique(at.begin(), at.end()), at.end());
  return at;
}

// `range` lies between two neighbouring boundaries, so each want and each lock covers all of it or none.
RangeLocks::Change RangeLocks::At(Range range) const {
  Change change;
  change.range = range;
  for (const Want& want : wants_) {
    if (Overlaps(want.range, range)) change.wanted = std::max(change.wanted, want.kind);
  }
  for (const Held& held : held_) {
    if (!Overlaps(held.range, range)) continue;
    change.held = held.kind;
    change.on_writer = held.on_writer;
  }
  return change;
}

std::vector<RangeLocks::Change> RangeLocks::Changes() const {
  const std::vector<uint64_t> at = Boundaries();
  std::vector<Change> changes;
  for (size_t i = 0; i + 1 < at.size(); i++) {
    const Change change = At({at[i], at[i + 1]});
    if (change.wanted == change.held) continue;
    // A stretch that goes on where the last one ended, with the same to do, is one call of the host.
    Change* last = changes.empty() ? nullptr : &changes.back();
    const bool continues = last != nullptr && last->range.end == change.range.begin && last->wanted == change.wanted &&
                           last->held == change.held && last->on_writer == change.on_writer;
    if (continues) {
      last->range.end = change.range.end;
    } else {
      changes.push_back(change);
    }
  }
  return changes;
}

void RangeLocks::Note(const Change& change, LockKind kind, bool on_writer) {
  // Built aside, in memory that MakeRoom() has had: of what is held, all but the stretch, whose two sides may stay.
  std::vector<Held>& rest = spare_;
  rest.clear();
  for (const Held& held : held_) {
    if (!Overlaps(held.range, change.range)) {
      rest.push_back(held);
      continue;
    }
    if (held.range.begin < change.range.begin) {
      rest.push_back({{held.range.begin, change.range.begin}, held.kind, held.on_writer});
    }
    if (held.range.end > change.range.end) {
      rest.push_back({{change.range.end, held.range.end}, held.kind, held.on_writer});
    }
  }
  if (kind != LockKind::kNone) rest.push_back({change.range, kind, on_writer});
  held_.swap(rest);
}

void RangeLocks::ForgetWriter() {
  held_.erase(std::remove_if(held_.begin(), held_.end(), [](const Held& held) { return held.on_writer; }), held_.end());
}

}  // namespace blk
