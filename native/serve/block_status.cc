#include "serve/block_status.h"

#include <algorithm>
#include <array>

#include "serve/export.h"

namespace blk::serve {
namespace {

// Extents that are asked for at once: few at first, since most answers are one or two.
constexpr size_t kFirst = 16;
constexpr size_t kAtOnce = 512;

uint32_t FlagsOf(ExtentType type) {
  switch (type) {
    case ExtentType::kData:
    case ExtentType::kUnallocated: return 0;
    case ExtentType::kZero: return nbd::kStateZero;
    case ExtentType::kHole: return nbd::kStateZero | nbd::kStateHole;
  }
  return 0;
}

// Adds so many bytes, which are no more than the request has, whose length has 32 bits. -> false when there is no room.
bool Add(uint64_t size, uint32_t flags, size_t most, std::vector<nbd::StatusExtent>* extents) {
  const auto length = static_cast<uint32_t>(size);
  if (!extents->empty() && extents->back().flags == flags) {
    extents->back().length += length;
    return true;
  }
  if (extents->size() == most) return false;
  extents->push_back({length, flags});
  return true;
}

Status CollectAllocation(Device& device, const nbd::RequestHeader& request, size_t most,
                         const std::atomic<bool>& cancel, Lane lane, std::vector<nbd::StatusExtent>* extents) {
  std::array<DeviceExtent, kAtOnce> found;
  size_t at_once = kFirst;
  for (uint64_t done = 0; done < request.length;) {
    const auto count = device.Extents(request.offset + done, request.length - done, ExtentLayer::kAll,
                                      {found.data(), at_once}, &cancel, lane);
    if (!count.ok()) return count.status();
    if (count.value() == 0) return {EIO, Op::kExtents};
    for (size_t i = 0; i < count.value(); i++) {
      if (!Add(found[i].size, FlagsOf(found[i].type), most, extents)) return Status::Ok();
      done += found[i].size;
    }
    at_once = kAtOnce;
  }
  return Status::Ok();
}

Status CollectDirty(const TrackedChanges& changes, const nbd::RequestHeader& request, size_t most,
                    std::vector<nbd::StatusExtent>* extents) {
  if (changes.over()) return {EIO, Op::kExtents, Why::kBitmapOver};
  const uint64_t end = request.offset + request.length;
  for (uint64_t at = request.offset; at < end;) {
    const ByteSpan run = changes.NextRun(at, end);
    const uint64_t begin = std::clamp(run.begin, at, end);
    if (begin > at && !Add(begin - at, 0, most, extents)) break;
    at = std::clamp(run.end, begin, end);
    if (at > begin && !Add(at - begin, nbd::kStateDirty, most, extents)) break;
  }
  return Status::Ok();
}

}  // namespace

Status CollectStatuses(const Export& exported, const nbd::RequestHeader& request, const Contexts& contexts,
                       const std::atomic<bool>& cancel, Lane lane, std::vector<ContextStatus>* statuses) {
  const bool one = (request.flags & nbd::kFlagReqOne) != 0;
  const size_t most = one ? 1 : std::max<size_t>(kMostExtents / contexts.count(), 1);
  if (contexts.allocation) {
    auto& extents = statuses->emplace_back(ContextStatus{kAllocationId, {}}).extents;
    const Status status = CollectAllocation(exported.device(), request, most, cancel, lane, &extents);
    if (!status.ok()) return status;
  }
  for (const size_t bitmap : contexts.bitmaps) {
    const uint32_t id = kFirstBitmapId + static_cast<uint32_t>(bitmap);
    auto& extents = statuses->emplace_back(ContextStatus{id, {}}).extents;
    const Status status = CollectDirty(exported.bitmap(bitmap), request, most, &extents);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

}  // namespace blk::serve
