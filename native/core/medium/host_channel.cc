#include "core/medium/host_channel.h"

namespace blk {

Moved HostChannel::Read(HostOffset at, void* data, size_t size, const PieceRules& rules) {
  return rules.nowait ? file_.ReadNow(data, size, at) : file_.ReadAll(data, size, at, rules.cancel);
}

Moved HostChannel::Write(HostOffset at, const void* data, size_t size, const PieceRules& rules) {
  return rules.durable ? file_.WriteAllDurable(data, size, at, rules.cancel)
                       : file_.WriteAll(data, size, at, rules.cancel);
}

HostSpan HostChannel::NextData(HostSpan within) {
  if (!mappable_) return within;
  const int64_t data = file_.host->SeekData(file_.fd, within.begin.value);
  if (data == -ENXIO) return {within.end, within.end};
  if (data < 0) return within;
  const int64_t hole = file_.host->SeekHole(file_.fd, static_cast<uint64_t>(data));
  const HostSpan found{{static_cast<uint64_t>(data)}, hole < 0 ? within.end : HostOffset{static_cast<uint64_t>(hole)}};
  const HostSpan span = found.CutTo(within);
  return span.empty() ? HostSpan{within.end, within.end} : span;
}

Result<Mapping> HostChannel::Map(HostOffset at, size_t size, MapMode mode) {
  return Mapping::Create(*file_.host, file_.fd, at, size, mode);
}

}  // namespace blk
