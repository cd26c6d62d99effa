// Device: one open of one minor. Owns what that open needs: its mode, cache mode, windows and the stack of strategies
// that its requests go through.
// Thread-safe for whatever is done inside a call of calls(), which Close() waits for. Whoever knows otherwise that
// nothing else runs or starts while the device is closed needs no call.
// Lock order: close_mu_ before whatever a flush and the release of the minor take. Model: rumpblk_open, rumpblk_close
// and rumpblk_strategy, rumpblk.c r1.31 lines 431-514 and 725-730.
#ifndef RUMPBLK_CORE_DEVICE_DEVICE_H_
#define RUMPBLK_CORE_DEVICE_DEVICE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/access/auto_strategy.h"
#include "core/access/mapped_strategy.h"
#include "core/access/pio_strategy.h"
#include "core/base/counters.h"
#include "core/base/sync.h"
#include "core/device/lease.h"
#include "core/device/lease_pins.h"
#include "core/device/minor.h"
#include "core/device/options.h"
#include "core/filter/fault_filter.h"
#include "core/filter/fault_plan_filter.h"
#include "core/filter/filter_chain.h"
#include "core/filter/guard_filter.h"
#include "core/filter/record_filter.h"
#include "core/filter/trace_filter.h"
#include "core/filter/track_filter.h"
#include "core/medium/channel.h"
#include "core/request/batch.h"
#include "core/request/disk_channel.h"
#include "core/request/physio.h"
#include "core/request/plan.h"
#include "core/window/window_cache.h"
#include "core/window/window_table.h"
#include "core/workers/calls_in_flight.h"

namespace blk {

// What a driver lends to each of its devices. Outlives them.
struct DeviceContext {
  Counters& counters;
  FaultInjector& faults;
  WindowSize window_size;
  uint32_t window_count = kDefaultWindowCount;
  FaultPlans* plans = nullptr;  // null: its requests meet none
};

// A MediumExtent as a device has it.
struct DeviceExtent {
  DeviceOffset at;
  uint64_t size = 0;  // bytes
  ExtentType type = ExtentType::kData;
  uint32_t depth = 0;
  uint64_t host_offset = kNoHostOffset;
  bool present = true;
};

class Device {
 public:
  // Opens `minor`. Windows that cannot be mapped make it a pread/pwrite device; nodes always are, and so is what asks
  // for O_DIRECT. Reads nothing of the device, but for the label of a disk that a partition is opened 'r+' on.
  // Errors: those of Minor::Acquire() · the host's, of reading that label · ENOMEM.   Thread: any; it may wait for the
  // host.
  static Result<std::unique_ptr<Device>> Open(std::shared_ptr<Minor> minor, const OpenOptions& options,
                                              const DeviceContext& context);
  // Closes if need be; the failure of an implicit close has nobody to go to, so owners call Close(). Unmaps what
  // Close() has left to leases.   REQUIRES: no request and no lease is left.
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // A request of bytes [position, position + length), cut into pieces by the rule of this open. Makes it, and no more:
  // Admit() and RunRequest() do it. `fua` is of writes only.
  // Shape: data holds length bytes until it has run.   Errors: none here; the bounds check answers when it runs.
  Request BytesRequest(Operation op, uint64_t position, uint8_t* data, size_t length, Fua fua) const;
  // A request that is one piece, of `length` bytes from sector `blkno` on, as d_strategy gets it: also on a raw open,
  // and of any length. Durable when complete unless `deferred`, whatever the cache mode but kUnsafe: the kernel's
  // B_ASYNC.
  Request BufRequest(Operation op, int64_t blkno, uint8_t* data, size_t length, bool deferred) const;

  // A request of a range that moves no bytes of the caller's: kDiscard, kZero, kPrefetch. `fua` is of zeros only.
  Request RangeRequest(Operation op, uint64_t position, uint64_t length, Fua fua) const;

  // What a copy out of this device, of `length` bytes from `position` on, has to know of it; the device stays open
  // until that has run. Errors: EINVAL not all of it lies in the device · EOPNOTSUPP filters want to see each read.
  Result<CopySource> AsSource(uint64_t position, uint64_t length) const;
  // A request that makes [position, position + length) what `source` holds, which outlives it: kCopy.
  Request CopyRequest(uint64_t position, uint64_t length, CopySource& source) const;

  // Plans `request`, and passes it by the filters; on the caller's thread, in call order, once. -> where to run it;
  // valid as long as the device. CompleteRequest() is owed from there on.
  Strategy& Admit(Request& request) {
    Strategy& entry = chain_->entry();
    PlanRequest(request, range_);
    entry.Admit(request);
    return entry;
  }
  // Admits, runs and completes in one go, on the caller's thread, which waits as long as a fault plan holds it; one
  // that would hang for ever does not run. Errors: EDEADLK that.
  void Run(Request& request) {
    Strategy& entry = Admit(request);
    if (request.plan.decided) return RunHeld(entry, request);
    RunRequest(entry, request);
    CompleteRequest(request);
  }
  // Lets go requests that are held although they were called off.
  void LetGoCancelled() const;

  // Writes to the disk that this device is, or is a partition of, wherever its label lies; durable when it returns,
  // also under CacheMode::kUnsafe: a label is worth a sync. Draws no fault. `position` counts bytes from the start of
  // the disk.
  // Errors: EROFS this open protects the place · ENOSPC behind the end of the disk · those of Strategy::Submit().
  // REQUIRES: mode() is kReadWrite.
  Status WriteDisk(uint64_t position, std::vector<uint8_t> bytes, Lane lane);

  // Marks all of the disk for those who track it: before and behind what gives it another content in one go, so that no
  // change is between two maps.   Thread: any.
  void MarkAll();

  // Whether a write of these bytes, which lie inside the device, would be refused with EROFS: for who has to know
  // before the first of several.
  bool Guards(uint64_t position, uint64_t length) const {
    const uint64_t begin = range_.begin.value + position;
    return guard_ && guard_->Forbids({{begin}, {begin + length}});
  }

  // What the entries of a batch go through, now: later changes of the faults are not seen by a batch under way.
  BatchTarget ForBatch() const;
  // A flush for who runs it elsewhere.
  struct AdmittedFlush {
    Request request;
    Strategy* entry = nullptr;  // null: the cache mode has none
  };

  // Makes what a batch that went through `entry` wrote durable. Errors: those of Flush().
  Status SyncBatch(Strategy& entry, Lane lane, const BatchSync& what);
  // The flush that it runs: for who starts that.
  AdmittedFlush FlushOfBatch(Strategy& entry, const BatchSync& what);

  // Lends [position, position + length) of the device as memory. On an 'r+' device its stores are the file's; on an 'r'
  // one they are private. May wait for a window under mmap, never reads from the disk.
  // Errors: ENOTSUP a pread/pwrite device, or what is stored would escape a log of the disk · EROFS part of it may not
  // be written · EINVAL empty, outside the device or across windows · EBUSY it would pin the last window that requests
  // can use · those of Mapping::Create(). Thread: any.   The device outlives the lease.
  Result<std::unique_ptr<Lease>> Map(uint64_t position, size_t length);

  // Makes every write that has completed durable, by whichever open of the minor it came, unless the cache mode is
  // unsafe; skips the sync when nothing is dirty. `*lost`, where given: the bytes that are known to be lost when it
  // fails, as the smallest span that holds all of this device that no flush has told before, by whichever open or
  // partition; else empty.
  // Errors: fdatasync's, and from then on the same one again until the last close · EIO the host file shrank · EIO,
  // ENOSPC stores through a lease are lost, which sticks too.   Thread: any; it waits for the disk.
  Status Flush(Lane lane, ByteSpan* lost = nullptr);
  // Its two halves, for who runs it elsewhere: filters look at it on the caller's thread, in call order.
  AdmittedFlush AdmitFlush();
  Status RunFlush(AdmittedFlush& flush, Lane lane, ByteSpan* lost = nullptr);
  // What is behind it, for who has run, or started, flush.request through flush.entry.   Thread: any; it asks a host
  // file for its size.   REQUIRES: flush.entry is not null.
  Status EndFlush(AdmittedFlush& flush, ByteSpan* lost = nullptr);

  // The calls on this device. What is admitted, run, flushed or looked at between Enter() and the end of that call
  // finds the device open, on whichever thread; the device outlives the call. A close can begin here, for those that
  // must not wait for calls under way, or to give up where there are some; Close() is what follows.
  CallsInFlight& calls() { return calls_; }
  // Bars calls and waits for those under way; then flushes, unmaps and lets go of the minor: always all three, whatever
  // fails (B25). Idempotent: later calls are ok and do nothing, but for waiting until it is closed. `*lost` as in
  // Flush().
  // Errors: the first of the flush's, munmap's and close's.   REQUIRES: no call of the calling thread is under way, and
  // nothing outside of calls runs (B16).
  Status Close(Lane lane = kSharedLane, ByteSpan* lost = nullptr) EXCLUDES(close_mu_) {
    return Close(nullptr, lane, lost);
  }
  // The same with a flush that was admitted when the close was asked for.
  Status Close(AdmittedFlush* flush, Lane lane, ByteSpan* lost) EXCLUDES(close_mu_);

  // What its medium can do, as it was asked when it was opened. Fixed.
  const MediumFeatures& features() const { return features_; }

  // Lists what [position, position + length) of the device is made of, as Channel::Extents() does; what lies behind
  // the end of the device is left out. -> how many, none at its end. Counts them, draws no fault.
  // Errors: EINVAL beyond the end, or where a raw open may not begin · ECANCELED · ENOMEM.   Thread: any; it may wait
  // for the host.   REQUIRES: `found` is not empty.
  Result<size_t> Extents(uint64_t position, uint64_t length, ExtentLayer layer, std::span<DeviceExtent> found,
                         const std::atomic<bool>* cancel, Lane lane) const;

  // The part of the device that is this one of the medium; empty where they do not meet.
  ByteSpan ToDevice(MediumSpan span) const;

  // Puts the fault injector in force or takes it out. Requests admitted before keep what they were admitted to.
  // Thread: any.   Driver::SetFaults() calls it under its lock.
  // Errors, of all four: ENOMEM, and nothing has changed; none when it is taken out.
  Status SetFaulty(bool faulty);
  // The same of the fault plan of its driver.   Thread: as SetFaulty().
  Status SetPlanned(bool planned);
  // The same of marking what it changes for those who track its disk.   Thread: as SetFaulty(), not both at once.
  Status SetTracked(bool tracked);

  // The same of telling the log of its disk of what it does.
  Status SetLogged(bool logged);

  // What measures and traces its requests; off until SetTraced().
  TraceFilter& tracer() { return tracer_; }
  // Puts it in force if it has anything to do, or takes it out.   Thread: as SetFaulty(), not both at once.
  Status SetTraced() { return chain_->Switch(tracer_, tracer_.on()); }

  // The mapped windows, none for a pread/pwrite device. Most recently used first under mmap; under auto, where nothing
  // orders them, by slot. Of this moment: requests go on meanwhile.
  std::vector<WindowInfo> Windows() const;

  // Shared with the minor's other opens; lives at least as long as this object, also after Close().
  const Minor& minor() const { return *minor_; }
  Minor& minor() { return *minor_; }
  const std::shared_ptr<Minor>& shared_minor() const { return minor_; }
  // What its medium may answer later (Strategy::Start()), and whether it tells before that a read would wait. Fixed.
  OperationSet starts() const { return disk_.starts(); }
  bool tells_memory() const { return disk_.tells_memory(); }
  // Whether all pieces of [request.moved, request.moved + size) would be answered later, so that no thread waits for
  // them; on `data`, null where they move none. Of this moment.   REQUIRES: it was admitted to `entry`.
  bool Starts(Strategy& entry, const Request& request, uint8_t* data, size_t size) const;
  // As it was asked for.
  OpenMode mode() const { return options_.mode; }
  bool raw() const { return options_.raw; }
  Access access() const { return access_; }  // what is in force
  // Whether Close() is over.
  bool closed() const { return closed_.load(std::memory_order_acquire); }

 private:
  static void RunHeld(Strategy& entry, Request& request);
  Device(std::shared_ptr<Minor> minor, const OpenOptions& options, const DeviceContext& context,
         std::unique_ptr<Channel> channel);

  // What options_.protect names, as parts of the medium.
  std::vector<MediumSpan> ProtectedSpans() const;
  // Makes guard_, if this open has something to guard.
  void Guard();
  // Makes windows and the strategy over them; leaves the device at pread and pwrite when that fails.
  void MapWindows(const DeviceContext& context);
  // A lease of a mapping of its own. `shared`: nothing for a private one.
  Result<std::unique_ptr<Lease>> MapOwn(MediumOffset at, size_t length, MapMode mode,
                                        std::optional<Lease::Shared> shared);
  // A lease of the window around `at`, or, where that cannot be had or is not sound, of a mapping of its own over the
  // same bytes.
  Result<std::unique_ptr<Lease>> MapWindow(MediumOffset at, size_t length);
  // The window around `at`, mapped if need be; nothing when its place is taken, by a lease or by requests under way.
  // One that is not sound is of no use to a lease either: it gets fresh pages, which the page cache keeps alike.
  Result<std::optional<WindowRef>> AcquireForLease(MediumOffset at);

  // Order is destruction order, last first: strategies go before the windows and the minor they use.
  const std::shared_ptr<Minor> minor_;
  const OpenOptions options_;
  // What is in force; fixed by the constructor.
  Access access_ = Access::kPio;
  CallsInFlight calls_;
  Mutex close_mu_;                   // held by the one close that there is, and by those that wait for it
  std::atomic<bool> closed_{false};  // written under close_mu_
  // By value in each strategy too: plain numbers, and pointers to what outlives them all.
  const DeviceRange range_;
  // The minor's medium, good from Acquire() to Release().
  const std::unique_ptr<Channel> channel_;
  const MediumFeatures features_;
  DiskChannel disk_;
  WindowGeometry geometry_;  // of cache_ or table_
  LeasePins pins_;
  std::unique_ptr<WindowCache> cache_;  // under mmap
  std::unique_ptr<WindowTable> table_;  // under auto
  PioStrategy pio_;
  std::unique_ptr<Strategy> mapped_;    // over cache_ or table_
  std::unique_ptr<GuardFilter> guard_;  // when there is something to guard
  RecordFilter recorder_;
  TrackFilter tracker_;
  FaultPlans* const plans_;  // null: none
  std::optional<FaultPlanFilter> planned_;
  FaultFilter faults_;
  TraceFilter tracer_;
  std::optional<FilterChain> chain_;  // before mapped_, or pio_; there from the constructor on
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_DEVICE_H_
