#include "core/device/device.h"

#include <algorithm>
#include <utility>

#include "core/access/mapped_over_holes.h"
#include "core/base/no_memory.h"

namespace blk {
namespace {

// The limits of an open, and where it counts and notes what is dirty: the minor's disk, whichever partition it is.
DeviceRange RangeOf(Minor& minor, OpenMode mode, Counters& counters) {
  DeviceRange range;
  range.size = minor.size();
  range.begin = minor.begin();
  range.writable = mode == OpenMode::kReadWrite;
  range.counters = &counters;
  range.flush = &minor.disk().flush();
  return range;
}

// The smallest power of two from 1 MiB up with which `count` windows cover `range`, at most kMaxAutoWindowSize.
uint64_t CoveringWindowSize(WindowGeometry geometry) {
  for (geometry.size = kDefaultWindowSize; geometry.size < kMaxAutoWindowSize; geometry.size *= 2) {
    if (geometry.needed() <= geometry.count) break;
  }
  return geometry.size;
}

// Where windows lie: in medium coordinates, with the range's end for a limit (B3, B6, B7).
WindowGeometry GeometryOf(const Minor& minor, Access access, const DeviceContext& context) {
  WindowGeometry geometry;
  geometry.begin = minor.begin();
  geometry.end = {minor.begin().value + minor.size()};
  geometry.count = context.window_count;
  switch (context.window_size.kind) {
    case WindowSize::Kind::kBytes: geometry.size = context.window_size.bytes; break;
    case WindowSize::Kind::kAuto: geometry.size = CoveringWindowSize(geometry); break;
    case WindowSize::Kind::kUnset:
      geometry.size = access == Access::kMmap ? kDefaultWindowSize : CoveringWindowSize(geometry);
      break;
  }
  return geometry;
}

// Whoever asks for O_DIRECT has none of the page cache's per-call syncs, even where the host has no O_DIRECT.
DiskChannel::Durable DurableBy(const OpenOptions& options) {
  return options.access == Access::kAuto && !options.direct ? DiskChannel::Durable::kPerCall
                                                            : DiskChannel::Durable::kBySync;
}

}  // namespace

Device::Device(std::shared_ptr<Minor> minor, const OpenOptions& options, const DeviceContext& context,
               std::unique_ptr<Channel> channel)
    : minor_(std::move(minor)),
      options_(options),
      range_(RangeOf(*minor_, options.mode, context.counters)),
      channel_(std::move(channel)),
      features_(channel_->Features()),
      disk_(*channel_, minor_->disk().flush(), context.counters, DurableBy(options)),
      pio_(range_, disk_),
      recorder_(range_.begin, minor_->disk().log(), options.cache == CacheMode::kUnsafe),
      tracker_(range_.begin, minor_->disk().tracks()),
      plans_(context.plans),
      faults_(context.counters, context.faults) {
  if (channel_->windows() != nullptr && !options.direct && options.access != Access::kPio) MapWindows(context);
  // A device that cannot write has nothing to be kept from.
  if (range_.writable) Guard();
  if (context.plans != nullptr) {
    planned_.emplace(*context.plans,
                     FaultPlanFilter::Place{minor_->index(), range_, &minor_->disk(), minor_->disk().span(),
                                            channel_.get(), &minor_->disk().unflushed(), &minor_->disk().log()});
  }
  // From inside to outside: the recorder, which is to see what reaches the medium; the tracker, of what the others let
  // through; the guard; the fault plan; the seed's injector, which draws before anything is refused; outermost the
  // tracer, which sees what callers see.
  std::vector<FilterChain::Link> links{{range_.writable ? &recorder_ : nullptr, /*switched=*/true},
                                       {range_.writable ? &tracker_ : nullptr, /*switched=*/true},
                                       {guard_.get(), /*switched=*/false},
                                       {planned_ ? &*planned_ : nullptr, /*switched=*/true},
                                       {&faults_, /*switched=*/true},
                                       {&tracer_, /*switched=*/true}};
  std::erase_if(links, [](const FilterChain::Link& link) { return link.filter == nullptr; });
  chain_.emplace(mapped_ ? *mapped_ : pio_, links);
}

// Cut at the end of the device: what lies behind cannot be written anyway.
std::vector<MediumSpan> Device::ProtectedSpans() const {
  std::vector<MediumSpan> spans;
  for (const ByteSpan& span : options_.protect) {
    const uint64_t begin = std::min(span.begin, range_.size);
    const uint64_t end = std::min(span.end, range_.size);
    spans.push_back({{range_.begin.value + begin}, {range_.begin.value + end}});
  }
  return spans;
}

void Device::Guard() {
  std::vector<MediumSpan> spans = ProtectedSpans();
  // Partitions alone are kept off it: who opens the disk itself may write its label.
  const LabelSector* label = minor_->partition() != nullptr ? &minor_->disk().label_state().sector() : nullptr;
  if (spans.empty() && label == nullptr) return;
  guard_ = std::make_unique<GuardFilter>(range_.begin, std::move(spans), label);
}

void Device::MapWindows(const DeviceContext& context) {
  if (range_.size == 0) {
    access_ = options_.access;  // nothing to map, and nothing to fall back from
    return;
  }
  geometry_ = GeometryOf(*minor_, options_.access, context);
  const MapMode mode = range_.writable ? MapMode::kReadWrite : MapMode::kRead;
  if (options_.access == Access::kAuto) {
    table_ = std::make_unique<WindowTable>(*channel_->windows(), mode, geometry_);
    mapped_ = std::make_unique<AutoStrategy>(range_, *table_, disk_);
  } else {
    auto cache = WindowCache::Create(*channel_->windows(), mode, geometry_, *range_.counters);
    // All or nothing here: the seed's LRU is a promise about so many windows. A table takes what it can get.
    if (!cache.ok()) return;
    cache_ = cache.Take();
    if (channel_->windows()->FillsHoles()) {
      mapped_ = std::make_unique<MappedOverHoles>(range_, *cache_, disk_);
    } else {
      mapped_ = std::make_unique<MappedStrategy>(range_, *cache_, disk_);
    }
  }
  access_ = options_.access;
}

Result<std::unique_ptr<Device>> Device::Open(std::shared_ptr<Minor> minor, const OpenOptions& options,
                                             const DeviceContext& context) {
  auto channel = minor->Acquire(options);
  if (!channel.ok()) return channel.status();
  Status status = Status::Ok();
  std::unique_ptr<Device> device;
  const bool had_memory = HadMemory([&] {
    if (minor->partition() != nullptr && options.mode == OpenMode::kReadWrite) {
      MutexLock lock(minor->disk().label_state().changes());
      status = minor->disk().PlaceLabel();
    }
    if (status.ok()) device.reset(new Device(minor, options, context, channel.Take()));
  });
  if (device) return device;
  static_cast<void>(minor->Release(options));  // the error to tell is what kept it from being opened
  return had_memory ? status : Status{ENOMEM, Op::kOpen};
}

// The shared lane: any thread may be the last owner.
Device::~Device() { static_cast<void>(Close()); }

Request Device::BytesRequest(Operation op, uint64_t position, uint8_t* data, size_t length, Fua fua) const {
  Request request;
  request.operation = op;
  request.position = static_cast<int64_t>(position);
  request.data = data;
  request.length = length;
  request.raw = options_.raw;
  request.durable = DurabilityRule(options_.cache).IsDurable(op, fua);
  return request;
}

Request Device::BufRequest(Operation op, int64_t blkno, uint8_t* data, size_t length, bool deferred) const {
  Request request;
  request.operation = op;
  request.position = PositionOfSector(blkno);
  request.data = data;
  request.length = length;
  // Never raw: the block device's strategy takes a buf as it is, of any length.
  request.deferred = deferred;
  request.durable = DurabilityRule(options_.cache).IsDurable(op, FuaOfBuf(deferred));
  return request;
}

Request Device::RangeRequest(Operation op, uint64_t position, uint64_t length, Fua fua) const {
  Request request;
  request.operation = op;
  request.durable = DurabilityRule(options_.cache).IsDurable(op, fua);
  request.position = static_cast<int64_t>(position);
  request.length = static_cast<size_t>(length);
  request.raw = options_.raw;
  return request;
}

Result<CopySource> Device::AsSource(uint64_t position, uint64_t length) const {
  if (position > range_.size || length > range_.size - position) return Status{EINVAL, Op::kCopy};
  if (chain_->entry().filters().needs_each_request) return Status{EOPNOTSUPP, Op::kCopy};
  CopySource source;
  source.channel = channel_.get();
  source.at = {range_.begin.value + position};
  source.counters = range_.counters;
  return source;
}

Request Device::CopyRequest(uint64_t position, uint64_t length, CopySource& source) const {
  Request request = RangeRequest(Operation::kCopy, position, length, Fua::kByCacheMode);
  request.source = &source;
  return request;
}

Status Device::WriteDisk(uint64_t position, std::vector<uint8_t> bytes, Lane lane) {
  // The range of the whole disk, on the descriptors of this open: a partition has no others.
  DeviceRange range = range_;
  range.size = minor_->disk().size();
  range.begin = minor_->disk().begin();
  // Made for this one write: the strategies of this device know its own range alone.
  PioStrategy whole(range, disk_);
  GuardFilter guard(range.begin, ProtectedSpans(), nullptr);
  TrackFilter tracker(range.begin, minor_->disk().tracks());
  RecordFilter recorder(range.begin, minor_->disk().log(), false);
  const FilterChain chain(whole, {{&recorder}, {&tracker}, {&guard}});
  Request request;
  request.operation = Operation::kWrite;
  request.position = static_cast<int64_t>(position);
  request.data = bytes.data();
  request.length = bytes.size();
  request.durable = true;
  request.lane = lane;
  PlanRequest(request, range);
  chain.entry().Admit(request);
  RunRequest(chain.entry(), request);
  // Short at the end of the disk: half a label is none.
  if (request.status.ok() && request.moved < request.length) return {ENOSPC, Op::kStrategy};
  return request.status;
}

void Device::MarkAll() {
  Disk& disk = minor_->disk();
  disk.tracks().Mark({disk.begin(), {disk.begin().value + disk.size()}});
}

BatchTarget Device::ForBatch() const {
  Strategy& entry = chain_->entry();
  const int32_t stack = entry.filters().watches_pieces ? minor_->disk().log().stack() : -1;
  return {&entry, &range_, DurabilityRule(options_.cache), starts(), tells_memory(), stack};
}

bool Device::Starts(Strategy& entry, const Request& request, uint8_t* data, size_t size) const {
  const Plan& plan = request.plan;
  if (plan.decided || !disk_.MayStart(request) || std::min(plan.reach, plan.stop_at) <= request.moved) return false;
  // As one piece: what of its place and memory fits the medium as a whole does so in parts of kMaxPhys.
  Piece piece;
  static_cast<Terms&>(piece) = request;
  piece.position = static_cast<uint64_t>(request.position) + request.moved;
  piece.size = std::min(size, request.plan.reach - request.moved);
  piece.data = data;
  return entry.Starts(piece);
}

ByteSpan Device::ToDevice(MediumSpan span) const {
  // What another partition of the disk has lost is not this device's.
  const uint64_t begin = std::max(span.begin.value, range_.begin.value);
  const uint64_t end = std::min(span.end.value, range_.begin.value + range_.size);
  if (begin >= end) return {};
  return {begin - range_.begin.value, end - range_.begin.value};
}

Status Device::Close(AdmittedFlush* flush, Lane lane, ByteSpan* lost) {
  if (lost != nullptr) *lost = {};
  calls_.CloseAndWait();
  MutexLock lock(close_mu_);
  if (closed()) return Status::Ok();
  // While the windows are mapped and the descriptors open; the minor last, for its last close ends the sticky error.
  Status first = flush != nullptr ? RunFlush(*flush, lane, lost) : Flush(lane, lost);
  if (flush != nullptr) CompleteRequest(flush->request);
  // A leased window is in somebody's hands still: it is unmapped with this object, which its lease keeps alive.
  if (!pins_.Any()) {
    const Status unmapped = cache_ ? cache_->UnmapAll() : table_ ? table_->UnmapAll() : Status::Ok();
    if (first.ok()) first = unmapped;
  }
  const Status released = minor_->Release(options_);
  // Release, with the acquire in closed(): who finds it closed finds nothing of it held.
  closed_.store(true, std::memory_order_release);
  return first.ok() ? released : first;
}

std::vector<WindowInfo> Device::Windows() const {
  if (cache_) return cache_->List();
  return table_ ? table_->List() : std::vector<WindowInfo>{};
}

Status Device::SetFaulty(bool faulty) { return chain_->Switch(faults_, faulty); }

Status Device::SetPlanned(bool planned) { return planned_ ? chain_->Switch(*planned_, planned) : Status::Ok(); }

Status Device::SetTracked(bool tracked) { return range_.writable ? chain_->Switch(tracker_, tracked) : Status::Ok(); }

Status Device::SetLogged(bool logged) { return range_.writable ? chain_->Switch(recorder_, logged) : Status::Ok(); }

}  // namespace blk
