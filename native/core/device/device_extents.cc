// Device::Extents: what a device is made of, in its own coordinates.
#include <algorithm>
#include <vector>

#include "core/base/no_memory.h"
#include "core/device/device.h"

namespace blk {

Result<size_t> Device::Extents(uint64_t position, uint64_t length, ExtentLayer layer, std::span<DeviceExtent> found,
                               const std::atomic<bool>* cancel, Lane lane) const {
  const Status allowed = range_.Allows(Operation::kRead, position);
  if (!allowed.ok()) return Status{allowed.err, Op::kExtents};
  if (options_.raw && position % kDevBsize != 0) return Status{EINVAL, Op::kExtents};
  const uint64_t reach = range_.ReachOf(position, static_cast<size_t>(length));
  if (reach == 0) return size_t{0};
  std::vector<MediumExtent> listed;
  if (!HadMemory([&] { listed.resize(found.size()); })) return Status{ENOMEM, Op::kExtents};
  const MediumOffset begin{range_.begin.value + position};
  PieceRules rules;
  rules.cancel = cancel;
  auto count = channel_->Extents({begin, {begin.value + reach}}, layer, listed, rules);
  if (!count.ok()) return count.status();
  for (size_t i = 0; i < count.value(); i++) {
    const MediumExtent& extent = listed[i];
    found[i] = {{extent.at.value - range_.begin.value},
                extent.size,
                extent.type,
                extent.depth,
                extent.host_offset,
                extent.present};
  }
  range_.counters->Add(Counter::kExtentsListed, count.value(), lane);
  return count;
}

}  // namespace blk
