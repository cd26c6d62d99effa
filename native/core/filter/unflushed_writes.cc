#include "core/filter/unflushed_writes.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace blk {
namespace {

struct Numbers {
  uint64_t first;
  uint64_t end;
};

Numbers SectorsOf(MediumSpan span) {
  return {span.begin.value / kDevBsize, (span.end.value + kDevBsize - 1) / kDevBsize};
}

}  // namespace

void UnflushedWrites::Begin(uint64_t run, MediumSpan span, MediumSpan disk, Channel& channel) {
  if (span.empty()) return;
  MutexLock lock(mu_);
  if (run_ != run) sectors_.clear();
  run_ = run;
  const auto [first, end] = SectorsOf(span);
  std::map<uint64_t, Sector> added;
  for (uint64_t number = first; number < end; number++) {
    if (sectors_.contains(number)) continue;
    // Of a sector that the disk has in part, that part.
    const MediumSpan part = MediumSpan{{number * kDevBsize}, {(number + 1) * kDevBsize}}.CutTo(disk);
    Sector& sector = added[number];
    sector.size = part.end.value - part.begin.value;
    const Moved moved = channel.Read(part.begin, sector.before.data(), sector.size, {});
    if (!moved.status.ok() || moved.bytes != sector.size) sector.size = 0;
  }
  sectors_.merge(added);
  for (uint64_t number = first; number < end; number++) sectors_[number].under_way++;
}

void UnflushedWrites::End(uint64_t run, MediumSpan span, const uint8_t* durable, size_t size) {
  if (span.empty()) return;
  MutexLock lock(mu_);
  if (run_ != run) return;
  const auto [first, end] = SectorsOf(span);
  for (auto at = sectors_.lower_bound(first); at != sectors_.end() && at->first < end; ++at) {
    Sector& sector = at->second;
    if (sector.under_way > 0) sector.under_way--;
    if (durable == nullptr) continue;
    const uint64_t begin = std::max(at->first * kDevBsize, span.begin.value);
    const uint64_t to = std::min({(at->first + 1) * kDevBsize, span.begin.value + size});
    if (begin >= to || sector.size == 0) continue;
    std::memcpy(sector.before.data() + (begin % kDevBsize), durable + (begin - span.begin.value), to - begin);
  }
}

MediumSpan UnflushedWrites::Lose(Channel& channel) {
  MutexLock lock(mu_);
  MediumSpan lost;
  for (auto at = sectors_.begin(); at != sectors_.end();) {
    const Sector& sector = at->second;
    if (sector.under_way > 0) {
      ++at;
      continue;
    }
    const MediumOffset begin{at->first * kDevBsize};
    if (sector.size > 0 && channel.Write(begin, sector.before.data(), sector.size, {}).bytes > 0) {
      lost = lost.With({begin, {begin.value + sector.size}});
    }
    at = sectors_.erase(at);
  }
  return lost;
}

}  // namespace blk
