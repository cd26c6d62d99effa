#include "serve/block_status.h"

#include <algorithm>
#include <array>

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

// -> false when it has no room.
bool Add(const DeviceExtent& extent, size_t most, std::vector<nbd::StatusExtent>* extents) {
  const nbd::StatusExtent added{static_cast<uint32_t>(extent.size), FlagsOf(extent.type)};
  if (!extents->empty() && extents->back().flags == added.flags) {
    extents->back().length += added.length;
    return true;
  }
  if (extents->size() == most) return false;
  extents->push_back(added);
  return true;
}

}  // namespace

Status CollectStatus(Device& device, const nbd::RequestHeader& request, const std::atomic<bool>& cancel, Lane lane,
                     std::vector<nbd::StatusExtent>* extents) {
  const size_t most = (request.flags & nbd::kFlagReqOne) != 0 ? 1 : kMostExtents;
  std::array<DeviceExtent, kAtOnce> found;
  size_t at_once = kFirst;
  for (uint64_t done = 0; done < request.length;) {
    const auto count = device.Extents(request.offset + done, request.length - done, ExtentLayer::kAll,
                                      {found.data(), at_once}, &cancel, lane);
    if (!count.ok()) return count.status();
    if (count.value() == 0) return {EIO, Op::kExtents};
    for (size_t i = 0; i < count.value(); i++) {
      // Its parts are no longer than the request, whose length has 32 bits.
      if (!Add(found[i], most, extents)) return Status::Ok();
      done += found[i].size;
    }
    at_once = kAtOnce;
  }
  return Status::Ok();
}

}  // namespace blk::serve
