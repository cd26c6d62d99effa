#include "core/device/device.h"

#include <utility>

namespace blk {
namespace {

DeviceRange RangeOf(Minor& minor, OpenMode mode, Counters& counters) {
  DeviceRange range;
  range.size = minor.size();
  range.begin = minor.begin();
  range.writable = mode == OpenMode::kReadWrite;
  range.counters = &counters;
  range.flush = &minor.flush();
  return range;
}

// The smallest power of two from 1 MiB up with which `count` windows cover `range`, at most kMaxAutoWindowSize.
uint64_t CoveringWindowSize(WindowGeometry geometry) {
  for (geometry.size = kDefaultWindowSize; geometry.size < kMaxAutoWindowSize; geometry.size *= 2) {
    if (geometry.needed() <= geometry.count) break;
  }
  return geometry.size;
}

WindowGeometry GeometryOf(const Minor& minor, Access access, const DeviceContext& context) {
  WindowGeometry geometry;
  geometry.begin = minor.begin();
  geometry.end = {minor.begin().value + minor.size()};
  geometry.count = context.window_count;
  switch (context.window_size.kind) {
    case WindowSize::Kind::kBytes:
      geometry.size = context.window_size.bytes;
      break;
    case WindowSize::Kind::kAuto:
      geometry.size = CoveringWindowSize(geometry);
      break;
    case WindowSize::Kind::kUnset:
      geometry.size = access == Access::kMmap ? kDefaultWindowSize : CoveringWindowSize(geometry);
      break;
  }
  return geometry;
}

}  // namespace

Device::Device(std::shared_ptr<Minor> minor, const OpenOptions& options, const DeviceContext& context,
               const HostFile& file)
    : minor_(std::move(minor)),
      options_(options),
      range_(RangeOf(*minor_, options.mode, context.counters)),
      pio_(range_, file, options.access == Access::kAuto ? PioStrategy::Durable::kPerCall : PioStrategy::Durable::kFdatasync) {
  const bool mappable = minor_->type() == FileType::kRegular && !options.direct && options.access != Access::kPio;
  if (mappable) MapWindows(file, context);
  path_ = mapped_ ? mapped_.get() : &pio_;
  faulty_ = std::make_unique<FaultStrategy>(range_, context.faults, *path_);
  entry_.store(path_, std::memory_order_release);
}

void Device::MapWindows(const HostFile& file, const DeviceContext& context) {
  if (range_.size == 0) {
    access_ = options_.access;  // nothing to map, and nothing to fall back from
    return;
  }
  const WindowGeometry geometry = GeometryOf(*minor_, options_.access, context);
  if (options_.access == Access::kAuto) {
    table_ = std::make_unique<WindowTable>(*file.host, file.fd, range_.writable, geometry);
    mapped_ = std::make_unique<AutoStrategy>(range_, *file.host, *table_, pio_);
  } else {
    auto cache = WindowCache::Create(*file.host, file.fd, range_.writable, geometry, *range_.counters);
    if (!cache.ok()) return;
    cache_ = cache.Take();
    mapped_ = std::make_unique<MappedStrategy>(range_, *cache_, pio_);
  }
  access_ = options_.access;
}

Result<std::unique_ptr<Device>> Device::Open(std::shared_ptr<Minor> minor, const OpenOptions& options,
                                             const DeviceContext& context) {
  auto file = minor->Acquire(options);
  if (!file.ok()) return file.status();
  return std::unique_ptr<Device>(new Device(std::move(minor), options, context, file.value()));
}

Device::~Device() { static_cast<void>(Close(0)); }

bool Device::IsDurable(Fua fua) const {
  if (options_.cache == CacheMode::kUnsafe) return false;
  return fua == Fua::kByCacheMode ? options_.cache == CacheMode::kWritethrough : fua == Fua::kOn;
}

Transfer Device::BytesRequest(BufOp op, uint64_t position, uint8_t* data, size_t length, Fua fua) const {
  Transfer transfer;
  transfer.op = op;
  transfer.blkno = static_cast<int64_t>(position >> kDevBshift);
  transfer.skip = static_cast<uint32_t>(position & (kDevBsize - 1));
  transfer.data = data;
  transfer.length = length;
  transfer.raw = options_.raw;
  transfer.durable = op == BufOp::kWrite && IsDurable(fua);
  return transfer;
}

Transfer Device::BufRequest(BufOp op, int64_t blkno, uint8_t* data, size_t length, bool deferred) const {
  Transfer transfer;
  transfer.op = op;
  transfer.blkno = blkno;
  transfer.data = data;
  transfer.length = length;
  transfer.deferred = deferred;
  transfer.durable = op == BufOp::kWrite && IsDurable(deferred ? Fua::kOff : Fua::kOn);
  return transfer;
}

Status Device::Flush(Lane lane) {
  if (options_.cache == CacheMode::kUnsafe) return Status::Ok();
  const Status synced = pio_.Sync(lane);
  return synced.ok() ? minor_->CheckHostSize() : synced;
}

Status Device::Close(Lane lane) {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return Status::Ok();
  Status first = Flush(lane);
  const Status unmapped = cache_ ? cache_->UnmapAll() : table_ ? table_->UnmapAll() : Status::Ok();
  if (first.ok()) first = unmapped;
  const Status released = minor_->Release(options_);
  return first.ok() ? released : first;
}

std::vector<WindowInfo> Device::Windows() const {
  if (cache_) return cache_->List();
  return table_ ? table_->List() : std::vector<WindowInfo>{};
}

void Device::SetFaulty(bool faulty) {
  entry_.store(faulty ? static_cast<Strategy*>(faulty_.get()) : path_, std::memory_order_release);
}

}  // namespace blk
