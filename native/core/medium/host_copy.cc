#include "core/medium/host_copy.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/host/transfer_loop.h"

namespace blk {
namespace {

constexpr Status kUnable{EOPNOTSUPP, Op::kCopy};
// Extents of the source that are looked at in one go.
constexpr size_t kExtents = 256;

// Whether it is the target that has no room, which reads and writes would find as well.
bool IsNoRoom(int64_t rc) { return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG; }

}  // namespace

bool HostCopy::CanCopy() const {
  return from_ != nullptr && to_ != nullptr && from_->direct_fd < 0 && to_->direct_fd < 0 && !from_->character &&
         !to_->character;
}

Moved HostCopy::Run(MediumOffset at, uint64_t size) {
  if (!CanCopy()) return {0, kUnable};
  // Past its end a file would grow, and what is missing of the source is no hole.
  if (const Status ends = target_.CheckReaches({at.value + size}); !ends.ok()) return {0, ends};
  if (!source_.channel->CheckReaches({source_.at.value + size}).ok()) return {0, kUnable};
  begin_ = at;
  uint64_t done = 0;
  while (done < size && data_moved_ < kMostData) {
    if (IsCancelled(rules_.cancel)) return {static_cast<size_t>(done), {ECANCELED, Op::kCopy}};
    const Moved moved = Step({at.value + done}, size - done);
    done += moved.bytes;
    if (!moved.status.ok()) return {static_cast<size_t>(done), moved.status};
  }
  return {static_cast<size_t>(done), Status::Ok()};
}

Moved HostCopy::Step(MediumOffset at, uint64_t size) {
  const uint64_t block = std::max<uint64_t>(to_->host->Granule(to_->fd), 1);
  const uint64_t into = at.value % block;
  uint64_t part = std::min(size, kMostShared - at.value % kMostShared);
  if (FromOf(at).value % block != into) can_share_ = false;
  if (can_share_ && into == 0) {
    const uint64_t shared = Share(at, part);
    if (shared > 0) return CountShared(at, shared), Moved{static_cast<size_t>(shared), Status::Ok()};
  }
  // What is less than a block at the end can only be copied.
  if (source_.clone_only && size >= block) return {0, kUnable};
  // Up to where whole blocks begin.
  if (can_share_ && into != 0) part = std::min(part, block - into);
  return EachExtent(
      at, part, [this](MediumOffset to, uint64_t bytes) { return CopyData(to, bytes); },
      [this](MediumOffset to, uint64_t bytes) { return MakeHole(to, bytes); });
}

uint64_t HostCopy::Share(MediumOffset at, uint64_t size) {
  const uint64_t block = std::max<uint64_t>(to_->host->Granule(to_->fd), 1);
  // A part of a block is shared only where both files end with it; of whole blocks every refusal is one for good.
  for (uint64_t part = size; part > 0; part -= part % block) {
    const int rc =
        Uninterrupted([&] { return to_->host->CloneRange(from_->fd, FromOf(at).value, to_->fd, at.value, part); });
    if (rc == 0) return part;
    can_share_ = rc == -EINVAL && part % block != 0;
    if (!can_share_) break;
  }
  return 0;
}

void HostCopy::CountShared(MediumOffset at, uint64_t size) {
  uint64_t holes = 0;
  const auto all = [](uint64_t bytes) { return Moved{static_cast<size_t>(bytes), Status::Ok()}; };
  // What of it are holes is known of the source alone. It is a count and no more: what a look that failed, or was
  // called off, has not seen counts as data.
  const Moved seen = EachExtent(
      at, size, [&](MediumOffset, uint64_t bytes) { return all(bytes); },
      [&](MediumOffset, uint64_t bytes) { return holes += bytes, all(bytes); });
  static_cast<void>(seen);
  source_.holes += holes;
  source_.cloned += size - holes;
}

template <typename Data, typename Hole>
Moved HostCopy::EachExtent(MediumOffset at, uint64_t size, Data data, Hole hole) {
  std::array<MediumExtent, kExtents> found;
  uint64_t done = 0;
  while (done < size) {
    const MediumSpan within{{FromOf(at).value + done}, {FromOf(at).value + size}};
    const Result<size_t> count = source_.channel->Extents(within, ExtentLayer::kAll, found, rules_);
    if (!count.ok()) {
      const bool cancelled = count.status().err == ECANCELED;
      return {static_cast<size_t>(done), cancelled ? Status{ECANCELED, Op::kCopy} : kUnable};
    }
    for (size_t i = 0; i < count.value(); i++) {
      const bool zeros = found[i].type == ExtentType::kHole || found[i].type == ExtentType::kZero;
      const MediumOffset to{at.value + done};
      const Moved moved = zeros ? hole(to, found[i].size) : data(to, found[i].size);
      done += moved.bytes;
      if (!moved.status.ok() || moved.bytes < found[i].size) return {static_cast<size_t>(done), moved.status};
    }
  }
  return {static_cast<size_t>(done), Status::Ok()};
}

Moved HostCopy::CopyData(MediumOffset at, uint64_t size) {
  uint64_t done = 0;
  while (done < size && data_moved_ < kMostData) {
    if (IsCancelled(rules_.cancel)) return {static_cast<size_t>(done), {ECANCELED, Op::kCopy}};
    const uint64_t from = FromOf(at).value + done, to = at.value + done;
    const uint64_t part = std::min({kSegmentSize, size - done, kMostData - data_moved_});
    const int64_t rc =
        Uninterrupted([&] { return to_->host->CopyRange(from_->fd, from, to_->fd, to, static_cast<size_t>(part)); });
    // Whatever else it meets, and a source that ends or is one of those that give nothing, a read or a write says it
    // better.
    if (rc <= 0) return {static_cast<size_t>(done), IsNoRoom(rc) ? Status{static_cast<int>(-rc), Op::kCopy} : kUnable};
    done += static_cast<uint64_t>(rc);
    data_moved_ += static_cast<uint64_t>(rc);
  }
  return {static_cast<size_t>(done), Status::Ok()};
}

Moved HostCopy::MakeHole(MediumOffset at, uint64_t size) {
  uint64_t done = source_.target_is_zero ? size : 0;
  while (done < size) {
    const MediumOffset here{at.value + done}, end{at.value + size};
    const MediumSpan data = target_.NextData({here, end});
    // What is a hole already stays as it is: to punch it takes a while.
    done = data.empty() ? size : data.begin.value - at.value;
    if (done == size) break;
    const Moved moved = target_.Zero(data.begin, data.end.value - data.begin.value, rules_);
    done += moved.bytes;
    if (!moved.status.ok()) {
      source_.holes += done;
      return {static_cast<size_t>(done), moved.status};
    }
  }
  source_.holes += size;
  return {static_cast<size_t>(size), Status::Ok()};
}

}  // namespace blk
