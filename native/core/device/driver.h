// Driver: a table of minors with its tunables, devices, I/O queue, and the memory of what is queued. Needs no thread of
// its owner's but those that call it.
// Thread-safe, but for the intake. Lock order: mu_ before that of the devices, and before that of the calls under way;
// host files are opened outside it, so that a slow one holds up nobody, and a slot is filled only with a minor that is
// complete (B41). Model: rumpblk_init and rumpblk_register, rumpblk.c r1.31 lines 295-429; nothing is process-wide.
#ifndef RUMPBLK_CORE_DEVICE_DRIVER_H_
#define RUMPBLK_CORE_DEVICE_DRIVER_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/counters.h"
#include "core/base/sync.h"
#include "core/device/device.h"
#include "core/device/device_group.h"
#include "core/device/minor.h"
#include "core/device/options.h"
#include "core/filter/fault_injector.h"
#include "core/host/host_engine.h"
#include "core/workers/calls_in_flight.h"
#include "core/workers/intake.h"
#include "core/workers/io_queue.h"
#include "core/workers/queue_threads.h"
#include "core/workers/request_memory.h"
#include "core/workers/shared_work.h"

namespace blk {

// What is told of a registered minor. A copy: the minor may be gone by the time it is read.
struct MinorInfo {
  int minor = 0;
  std::string path;
  uint64_t offset = 0;  // bytes in the medium
  uint64_t size = 0;    // bytes
  MediumKind kind = MediumKind::kFile;
  uint32_t open_count = 0;
  int disk = kPrivateMinor;  // of a partition: the minor of its disk
  std::string partition;     // of a partition: its name
};

class Driver {
 public:
  // An empty table. No thread starts before the first task is queued. `host` outlives the driver and its
  // devices.
  // REQUIRES: options.window_size.bytes, when given, is a power of two of at least a page; the counts are not 0.
  explicit Driver(const DriverOptions& options, HostIo& host = PosixHostIo());
  // Stops the workers and drops what is queued or waits in the intake; minors go with their last device. Devices live
  // on, for the threads that have them.   REQUIRES: no call of it is under way; not called from a task.
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // Binds a range of a medium to the lowest free minor, or finds the minor that has it already. Registrations are
  // not counted: one Deregister() frees. -> minor.
  // Errors: those of Minor::Create() · EBUSY the table is full · EBADF closed.   Thread: any; it may wait for the host.
  Result<int> Register(const std::string& path, const MediumRange& range) EXCLUDES(mu_);
  // The same for a medium of any kind. Errors: those of Minor::Create() · EBUSY the table is full · EBADF closed.
  Result<int> Register(std::unique_ptr<Medium> medium, const MediumRange& range) EXCLUDES(mu_);
  // Binds a partition of the disk `minor`, by the name, the unique GUID or the GPT label that its table says now, to
  // the lowest free minor, or finds the minor that has it already. On a minor that is a partition itself, `name` goes
  // on from its name. -> minor. Errors: ENXIO no such minor or partition · EINVAL it does not lie inside the disk, or
  // inside what contains it · EBUSY the table is full · EBADF closed · the host's.
  Result<int> RegisterPartition(int minor, const std::string& name) EXCLUDES(mu_);
  // Binds every partition of the disk `minor` that can become a device, or of a partition those that it holds, from one
  // look at its tables; those that are bound already keep their minors. All of them or none. -> in order of the tables.
  // Errors: ENXIO no such minor · EBUSY the table has not so many free slots · EBADF closed · the host's.
  Result<std::vector<std::shared_ptr<Minor>>> RegisterPartitions(int minor) EXCLUDES(mu_);
  // Frees a minor, whose number the next registration may get. Errors: ENXIO no such minor · EBUSY open, or a partition
  // of it is registered · EBADF closed · close(2)'s, and it is free all the same.
  Status Deregister(int minor) EXCLUDES(mu_);

  // Opens a registered minor. `*holder`, where given, names the process that is in the way when the error is EBUSY, and
  // is 0 where the host cannot tell. Errors: ENXIO no such minor · those of Device::Open() · EBADF closed.   Thread:
  // any; it may wait for the host.
  Result<std::shared_ptr<Device>> Open(int minor, const OpenOptions& options, int* holder = nullptr) EXCLUDES(mu_);
  // Opens a range of a medium, or a partition of that range, on a minor of its own, outside the table: neither
  // listed nor matched by Register(), and retired with this one open, as the disk of a partition is. An empty
  // `partition` is none; names are those of RegisterPartition(). Errors: those of Minor::Create(),
  // Minor::CreatePartition() and Device::Open() · EBADF closed.
  Result<std::shared_ptr<Device>> OpenPrivate(const std::string& path, const MediumRange& range,
                                              const std::string& partition, const OpenOptions& options,
                                              int* holder = nullptr) EXCLUDES(mu_);
  // The same for a medium of any kind.
  Result<std::shared_ptr<Device>> OpenPrivate(std::unique_ptr<Medium> medium, const MediumRange& range,
                                              const std::string& partition, const OpenOptions& options,
                                              int* holder = nullptr) EXCLUDES(mu_);

  // The registered minors, lowest first; empty after Close().
  std::vector<MinorInfo> Minors() const EXCLUDES(mu_);

  // Sets the injector, rate 0 for off, which starts its stream afresh, and puts it into the stacks of all open devices,
  // private ones too. Requests admitted before are not touched.   REQUIRES: rate <= kBlkfailMax.
  // Errors: ENOMEM, and nothing has changed.
  Status SetFaults(FaultInjector::Settings settings) EXCLUDES(mu_);
  // The same of a fault plan, null for none.
  Status SetPlan(std::shared_ptr<FaultRun> run) { return devices_->SetPlan(std::move(run)); }
  std::shared_ptr<FaultRun> plan() const { return devices_->plans().current(); }
  // The one that is, or was last, in force: its log stays.
  std::shared_ptr<FaultRun> last_plan() const { return devices_->plans().last(); }
  // Calls `ring` when something is logged, on any thread.
  void SetFaultBell(std::function<void()> ring) { devices_->plans().SetBell(std::move(ring)); }
  // Decides on opening `minor`, kPrivateMinor for one that gets its own: owed by whoever opens, once, on the thread and
  // in the order of the calls. Errors: what the plan says.
  Status AdmitOpen(int minor);
  FaultInjector::Settings faults() const { return devices_->faults().settings(); }

  // Tells a log of what is done to the disk of a device, as DeviceGroup::Log() has it. -> what ends that, on any
  // thread, and keeps what it needs.
  Result<std::function<void()>> Log(Device& device, const std::shared_ptr<RequestLog>& log);

  // What is changed on a device of this driver from here on, as DeviceGroup::Track() has it.
  std::unique_ptr<TrackedChanges> Track(Device& device, uint64_t granularity) {
    return devices_->Track(device, granularity);
  }

  // Traces and measures a device of this driver, as DeviceGroup has it.
  Status Trace(Device& device, std::shared_ptr<RequestTrace> trace, uint16_t index) {
    return devices_->Trace(device, std::move(trace), index);
  }
  void EndTrace(Device& device, const RequestTrace& trace) { devices_->EndTrace(device, trace); }
  Status Measure(Device& device) { return devices_->Measure(device); }

  // The calls of the driver: each function above that can answer EBADF is one while it runs, and whoever queues such a
  // call lets it enter before. calls().CloseAndWait() bars all that come, for a Close() that nobody is in the way of.
  CallsInFlight& calls() { return calls_; }
  // Frees every minor and stops the workers: nothing can be registered, opened or queued afterwards. Idempotent.
  // Errors: EBUSY while a device is open or a call of the driver is under way · the first of close(2)'s, and it is
  // closed all the same.
  Status Close() EXCLUDES(mu_);
  // Stops the workers whatever is open: for an environment that goes away. Tasks that run end, and so does what the
  // host does; the others never run, and nothing is held.
  void StopQueue() {
    StopThreads();
    if (const auto run = plan()) run->End();
  }

  // Whether what waits for a disk is done by the host alone. The first call finds out, and false once is false for
  // ever.
  bool has_ring() { return engine_ != nullptr && engine_->Ready(); }
  // Errors: ENOTSUP where that was asked for and cannot be had.
  Status CheckEngine() {
    return options_.engine == Engine::kRing && !has_ring() ? Status{ENOTSUP, Op::kRegister} : Status::Ok();
  }

  // Those of all its devices, open and closed.
  Counters& counters() { return devices_->counters(); }
  // The same for who may outlive the driver.
  std::shared_ptr<Counters> shared_counters() { return {devices_, &devices_->counters()}; }
  // For threads that make requests of its devices for long: what they count in a lane of their own costs less. Its
  // workers have leases.
  const std::shared_ptr<Lanes>& lanes() const { return devices_->lanes(); }
  // For whoever has tasks for the workers; its own devices run on the thread that calls them. The intake, which leads
  // into the queue, is used by one thread at a time, with all that has flows in it.
  IoQueue& queue() { return queue_; }
  Intake& intake() { return intake_; }
  RequestMemory& request_memory() { return request_memory_; }
  // Loops that a thread and idle workers of the queue run together.
  SharedWork& shared_work() { return shared_work_; }

 private:
  Result<std::shared_ptr<Device>> OpenMinor(const std::shared_ptr<Minor>& minor, const OpenOptions& options,
                                            int* holder) EXCLUDES(mu_);
  // A call of the driver: EBADF behind a close, which `op` is the name of in the error.
  Result<CallsInFlight::Call> Enter(Op op);
  // Gives the minor the lowest free slot. -> the number of the minor that is in the table now: this one, or one that
  // stands for the same; then this one goes.
  Result<int> Insert(std::shared_ptr<Minor> minor) EXCLUDES(mu_);
  // A registered minor; it may be deregistered a moment later, which Minor::Acquire() then answers. `op` is for the
  // error.
  Result<std::shared_ptr<Minor>> Find(int minor, Op op) const EXCLUDES(mu_);
  bool InTable(int minor) const REQUIRES(mu_) {
    return minor >= 0 && static_cast<size_t>(minor) < table_.size() && table_[minor];
  }
  DeviceContext Context();
  // The workers, then what they have begun and what is left of that.
  void StopThreads() {
    queue_.Stop();
    if (engine_ != nullptr) engine_->Stop();
    rest_queue_.Stop();
  }

  HostIo& host_;
  const DriverOptions options_;
  const std::shared_ptr<DeviceGroup> devices_ = std::make_shared<DeviceGroup>();
  CallsInFlight calls_;

  mutable Mutex mu_;
  // By number; a slot is null or a complete minor (B41). Empty once closed.
  std::vector<std::shared_ptr<Minor>> table_ GUARDED_BY(mu_);

  // Last: its workers stop, and the tasks in it give their memory back, before what they use goes.
  RequestMemory request_memory_;
  // Threads for what an engine leaves undone, which no others can be: a worker may be waiting for that very transfer.
  // None starts before it is needed.
  QueueThreads rest_threads_{rest_queue_};
  IoQueue rest_queue_;
  // Its devices keep it, too; it is stopped behind the workers, who may still begin transfers.
  const std::shared_ptr<HostEngine> engine_;
  SharedWork shared_work_{queue_};
  IoQueue queue_;
  Intake intake_;
};

}  // namespace blk

#endif  // RUMPBLK_CORE_DEVICE_DRIVER_H_
