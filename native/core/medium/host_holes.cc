#include "core/medium/host_holes.h"

#include <algorithm>

#include "core/base/denied.h"
#include "core/host/transfer_loop.h"

namespace blk {
namespace {

constexpr uint64_t kUsualGranule = 4096;

uint64_t Down(uint64_t n, uint64_t unit) { return n - n % unit; }

// The whole units in [at, at + size); empty when there are none.
MediumSpan Inwards(MediumOffset at, uint64_t size, uint64_t unit) {
  return {{Down(at.value + unit - 1, unit)}, {Down(at.value + size, unit)}};
}

// Whether `rc` says that the call is none of this file's, at all or at the moment.
bool IsRefusal(int rc) { return rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -ENOTTY || rc == -EINVAL || rc == -EBUSY; }
// Whether it says so for good. EINVAL does of a range that lies on granules; some dislike others.
bool IsForGood(int rc, bool aligned) { return IsRefusal(rc) && rc != -EBUSY && (rc != -EINVAL || aligned); }

}  // namespace

int HostHoles::Ask(Way way, const HostFile& file, uint64_t offset, uint64_t size) {
  // A node's pages in memory are dropped only for who has it alone; all others are told EBUSY while one is dirty.
  const int fd = file.exclusive_fd >= 0 ? file.exclusive_fd : file.fd;
  return Uninterrupted([&] {
    switch (way) {
      case kPunch: return host_.PunchHole(fd, offset, size);
      case kZeroRange: return host_.ZeroRange(fd, offset, size);
      case kNodeDiscard: return host_.NodeDiscard(fd, offset, size);
      case kNodeZero: return host_.NodeZero(fd, offset, size);
      case kSeek: break;
    }
    return -EINVAL;
  });
}

uint64_t HostHoles::GranuleOf(const HostFile& file) {
  uint64_t granule = granule_.load(std::memory_order_relaxed);
  if (granule != 0) return granule;
  granule = host_.Granule(file.fd);
  if (granule == 0) granule = kUsualGranule;
  // A node takes no less than a sector, whatever it frees.
  if (is_node_) granule = std::max(granule, SectorOf(file));
  granule_.store(granule, std::memory_order_relaxed);
  return granule;
}

uint64_t HostHoles::SectorOf(const HostFile& file) {
  uint64_t sector = sector_.load(std::memory_order_relaxed);
  if (sector != 0) return sector;
  DirectAlignment alignment;
  sector = host_.AlignmentForDirect(file.fd, &alignment) < 0 ? 0 : alignment.offset;
  // A page fits every sector there is.
  if (sector == 0) sector = kUsualGranule;
  sector_.store(sector, std::memory_order_relaxed);
  return sector;
}

Moved HostHoles::Discard(const HostFile& file, MediumOffset at, uint64_t size, const PieceRules& rules) {
  const Way way = is_node_ ? kNodeDiscard : kPunch;
  if (IsCancelled(rules.cancel)) return {0, {ECANCELED, Op::kDiscard}};
  if (Refused(way)) return {};
  const MediumSpan span = Inwards(at, size, GranuleOf(file));
  for (uint64_t from = span.begin.value; from < span.end.value;) {
    const uint64_t step = std::min(kStep, span.end.value - from);
    const int rc = IsCancelled(rules.cancel) ? -ECANCELED : Ask(way, file, from, step);
    if (rc < 0) {
      const Moved told{from == span.begin.value ? 0 : static_cast<size_t>(from - at.value), Status::Ok()};
      if (IsForGood(rc, true)) Remember(way);
      return IsRefusal(rc) ? told : Moved{told.bytes, {-rc, Op::kDiscard}};
    }
    from += step;
  }
  return {static_cast<size_t>(size), Status::Ok()};
}

MediumFeatures HostHoles::Features(const HostFile& file) {
  const HostFeatures host = host_.Features(file.fd);
  MediumFeatures features;
  features.discard = host.discard && !Refused(is_node_ ? kNodeDiscard : kPunch);
  features.fast_zero = host.zero && !Refused(kPunch);
  // A seek of a descriptor that is read and written by offset harms nobody. One that fails says no more than that
  // it failed: what is in doubt is data, whenever extents are asked.
  const int64_t data = Refused(kSeek) ? -EINVAL : host_.SeekData(file.fd, 0);
  features.extents = data >= 0 || !IsRefusal(static_cast<int>(data));
  features.preferred = GranuleOf(file);
  if (is_node_) features.minimum = SectorOf(file);
  return features;
}

MediumSpan HostHoles::ZeroSpan(const HostFile& file, MediumOffset at, uint64_t size) {
  if (is_node_) return Inwards(at, size, SectorOf(file));
  return {at, {at.value + size}};
}

Moved HostHoles::ZeroBy(Way way, const HostFile& file, MediumSpan span, const PieceRules& rules) {
  uint64_t from = span.begin.value;
  while (from < span.end.value && !Refused(way)) {
    const size_t done = static_cast<size_t>(from - span.begin.value);
    if (IsCancelled(rules.cancel)) return {done, {ECANCELED, Op::kZero}};
    const uint64_t step = std::min(kStep, span.end.value - from);
    const int rc = Ask(way, file, from, step);
    if (rc == 0) {
      from += step;
      continue;
    }
    const uint64_t granule = GranuleOf(file);
    if (IsForGood(rc, from % granule == 0 && step % granule == 0)) Remember(way);
    // A host that denies writes as well says so of the write.
    return {done, {IsRefusal(rc) || MayBeDenied(-rc) ? EOPNOTSUPP : -rc, Op::kZero}};
  }
  const size_t done = static_cast<size_t>(from - span.begin.value);
  return {done, from < span.end.value ? Status{EOPNOTSUPP, Op::kZero} : Status::Ok()};
}

Moved HostHoles::Zero(const HostFile& file, MediumSpan span, const PieceRules& rules) {
  const uint64_t size = span.end.value - span.begin.value;
  Moved moved{0, {EOPNOTSUPP, Op::kZero}};
  if (rules.keep_room && size < kWorthZeroing && !rules.fast) return moved;
  // Past its end a file takes all of these, and has no zeros there.
  if (!file.CheckReaches(span.end.value).ok()) return {0, {EIO, Op::kZero}};
  for (const Way way : {kPunch, is_node_ ? kNodeZero : kZeroRange}) {
    if (moved.status.err != EOPNOTSUPP) break;
    if (way == kPunch && rules.keep_room) continue;
    // A node without such a call writes the zeros itself, and says nothing of it.
    if (way == kNodeZero && rules.fast) continue;
    const Moved more = ZeroBy(way, file, {{span.begin.value + moved.bytes}, span.end}, rules);
    moved = {moved.bytes + more.bytes, more.status};
  }
  return moved;
}

uint64_t HostHoles::FileEnd(int fd) {
  FileInfo info;
  return Uninterrupted([&] { return host_.Stat(fd, &info); }) < 0 ? 0 : info.size;
}

size_t HostHoles::Walk(int fd, MediumSpan within, std::span<MediumExtent> found, const PieceRules& rules) {
  size_t count = 0;
  const auto add = [&](uint64_t to, ExtentType type) {
    const uint64_t end = std::min(to, within.end.value);
    if (end <= within.begin.value) return;
    found[count++] = {within.begin, end - within.begin.value, type, 0, within.begin.value};
    within.begin.value = end;
  };
  // Whether the host has just said that data begins where `within` does: it is not asked twice.
  bool in_data = false;
  while (!within.empty() && count < found.size() && !IsCancelled(rules.cancel)) {
    const uint64_t at = within.begin.value;
    if (in_data) {
      const int64_t hole = host_.SeekHole(fd, at);
      // Whatever is in doubt, from there on, is data.
      add(hole < 0 || static_cast<uint64_t>(hole) <= at ? within.end.value : static_cast<uint64_t>(hole),
          ExtentType::kData);
      in_data = false;
      continue;
    }
    const int64_t data = Refused(kSeek) ? -EINVAL : host_.SeekData(fd, at);
    if (data == -EINVAL || data == -EOPNOTSUPP || data == -ENOSYS) Remember(kSeek);
    if (data == -ENXIO) {
      // Behind the end of a file that was cut nothing can be read, zeros neither.
      add(FileEnd(fd), ExtentType::kHole);
      if (count < found.size()) add(within.end.value, ExtentType::kData);
      break;
    }
    in_data = data >= 0 && static_cast<uint64_t>(data) >= at;
    if (!in_data) {
      add(within.end.value, ExtentType::kData);
    } else if (static_cast<uint64_t>(data) > at) {
      add(static_cast<uint64_t>(data), ExtentType::kHole);
    }
  }
  return count;
}

Result<size_t> HostHoles::Extents(const HostFile& file, MediumSpan within, std::span<MediumExtent> found,
                                  const PieceRules& rules) {
  MutexLock lock(walk_mu_);
  if (!Refused(kSeek) && !walk_fd_.valid()) {
    const int fd = Uninterrupted([&] { return host_.Reopen(file.fd, path_, {}); });
    if (fd >= 0) walk_fd_ = UniqueFd(host_, fd);
  }
  if (!Refused(kSeek) && walk_fd_.valid()) {
    const size_t count = Walk(walk_fd_.get(), within, found, rules);
    if (IsCancelled(rules.cancel)) return Status{ECANCELED, Op::kExtents};
    return count;
  }
  found[0] = {within.begin, within.end.value - within.begin.value, ExtentType::kData, 0, within.begin.value};
  return size_t{1};
}

Status HostHoles::Close() {
  MutexLock lock(walk_mu_);
  return walk_fd_.Close();
}

}  // namespace blk
