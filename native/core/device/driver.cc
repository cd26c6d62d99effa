#include "core/device/driver.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/medium/host_medium.h"

namespace blk {

Driver::Driver(const DriverOptions& options, HostIo& host)
    : host_(host),
      options_(options),
      table_(options.minor_count),
      request_memory_(options.request_memory),
      rest_queue_(options.queue_depth, options.workers),
      engine_(options.engine == Engine::kThreads ? nullptr : host.MakeEngine(rest_threads_)),
      queue_(options.queue_depth, options.workers, IoQueue::kPatience, devices_->lanes()),
      intake_(queue_, request_memory_) {}

Driver::~Driver() {
  StopQueue();
  // What waits gives its memory back, and may be the last that keeps a device.
  IoTaskList dropped;
  intake_.TakeAll(dropped);
}

Result<CallsInFlight::Call> Driver::Enter(Op op) {
  auto call = calls_.Enter();
  if (!call.ok()) return Status{call.status().err, op};
  return call;
}

// ---- the table

Result<std::shared_ptr<Minor>> Driver::Find(int minor, Op op) const {
  MutexLock lock(mu_);
  if (!InTable(minor)) return Status{ENXIO, op};
  return table_[minor];
}

// Somebody else may have registered the same range meanwhile: found and entered under one lock, it is one minor (B41).
Result<int> Driver::Insert(std::shared_ptr<Minor> minor) {
  MutexLock lock(mu_);
  const auto same =
      std::find_if(table_.begin(), table_.end(), [&](const auto& slot) { return slot && slot->SameAs(*minor); });
  if (same != table_.end()) return static_cast<int>(same - table_.begin());
  const auto free = std::find(table_.begin(), table_.end(), nullptr);
  if (free == table_.end()) return Status{EBUSY, Op::kRegister};
  const int index = static_cast<int>(free - table_.begin());
  // Before anybody can find it.
  minor->SetIndex(index);
  *free = std::move(minor);
  return index;
}

Result<int> Driver::Register(const std::string& path, const MediumRange& range) {
  const auto call = Enter(Op::kRegister);
  if (!call.ok()) return call.status();
  // Outside the lock: a host that is slow to open one file holds up nobody else (B24).
  auto medium = HostMedium::Create(host_, path, engine_);
  if (!medium.ok()) return medium.status();
  return Register(medium.Take(), range);
}

Result<int> Driver::Register(std::unique_ptr<Medium> medium, const MediumRange& range) {
  const auto call = Enter(Op::kRegister);
  if (!call.ok()) return call.status();
  auto created = Minor::Create(std::move(medium), range);
  if (!created.ok()) return created.status();
  return Insert(created.Take());
}

Result<int> Driver::RegisterPartition(int minor, const std::string& name) {
  const auto call = Enter(Op::kRegister);
  if (!call.ok()) return call.status();
  auto found = Find(minor, Op::kRegister);
  if (!found.ok()) return found.status();
  // Outside the lock too: it reads the tables of the disk.
  auto created = Minor::CreatePartition(found.value(), name);
  if (!created.ok()) return created.status();
  return Insert(created.Take());
}

Result<std::vector<std::shared_ptr<Minor>>> Driver::RegisterPartitions(int minor) {
  const auto call = Enter(Op::kRegister);
  if (!call.ok()) return call.status();
  auto found = Find(minor, Op::kRegister);
  if (!found.ok()) return found.status();
  auto created = Minor::CreatePartitions(found.value());
  if (!created.ok()) return created.status();
  std::vector<std::shared_ptr<Minor>> partitions = created.Take();
  MutexLock lock(mu_);
  // Only partitions of the same disk can be one of these; nothing is changed before there is a slot for each.
  std::vector<std::shared_ptr<Minor>> known;
  std::vector<size_t> free;
  for (size_t slot = 0; slot < table_.size(); slot++) {
    if (!table_[slot]) {
      if (free.size() < partitions.size()) free.push_back(slot);
    } else if (table_[slot]->partition() != nullptr) {
      known.push_back(table_[slot]);
    }
  }
  std::vector<std::shared_ptr<Minor>*> added;
  for (std::shared_ptr<Minor>& partition : partitions) {
    const auto same =
        std::find_if(known.begin(), known.end(), [&](const auto& other) { return other->SameAs(*partition); });
    if (same == known.end()) added.push_back(&partition);
    if (same != known.end()) partition = *same;
  }
  if (added.size() > free.size()) return Status{EBUSY, Op::kRegister};
  for (size_t i = 0; i < added.size(); i++) {
    (*added[i])->SetIndex(static_cast<int>(free[i]));
    table_[free[i]] = *added[i];
  }
  return partitions;
}

Status Driver::Deregister(int minor) {
  const auto call = Enter(Op::kDeregister);
  if (!call.ok()) return call.status();
  auto found = Find(minor, Op::kDeregister);
  if (!found.ok()) return found.status();
  // Retire() decides between this and an open that comes at the same time; only one of them succeeds.
  Status status = found.value()->Retire();
  if (status.err == EBUSY) return status;
  // Another deregister may have been faster, and its slot may have a new minor by now.
  MutexLock lock(mu_);
  if (InTable(minor) && table_[minor] == found.value()) table_[minor].reset();
  return status;
}

// Under the lock, so that all rows are of one moment; nothing here asks the host.
std::vector<MinorInfo> Driver::Minors() const {
  MutexLock lock(mu_);
  std::vector<MinorInfo> list;
  for (const auto& minor : table_) {
    if (!minor) continue;
    MinorInfo info;
    info.minor = minor->index();
    info.path = minor->disk().medium().name();
    info.offset = minor->begin().value;
    info.size = minor->size();
    info.kind = minor->disk().medium().identity().kind;
    info.open_count = minor->open_count();
    if (minor->partition() != nullptr) {
      info.disk = minor->disk().index();
      info.partition = minor->partition()->name;
    }
    list.push_back(std::move(info));
  }
  return list;
}

// ---- devices

DeviceContext Driver::Context() {
  return {devices_->counters(), devices_->faults(), options_.window_size, options_.window_count, &devices_->plans()};
}

Result<std::shared_ptr<Device>> Driver::Open(int minor, const OpenOptions& options, int* holder) {
  const auto call = Enter(Op::kOpen);
  if (!call.ok()) return call.status();
  auto found = Find(minor, Op::kOpen);
  if (!found.ok()) return found.status();
  return OpenMinor(found.value(), options, holder);
}

Result<std::shared_ptr<Device>> Driver::OpenPrivate(const std::string& path, const MediumRange& range,
                                                    const std::string& partition, const OpenOptions& options,
                                                    int* holder) {
  const auto call = Enter(Op::kOpen);
  if (!call.ok()) return call.status();
  auto medium = HostMedium::Create(host_, path, engine_);
  if (!medium.ok()) return medium.status();
  return OpenPrivate(medium.Take(), range, partition, options, holder);
}

Result<std::shared_ptr<Device>> Driver::OpenPrivate(std::unique_ptr<Medium> medium, const MediumRange& range,
                                                    const std::string& partition, const OpenOptions& options,
                                                    int* holder) {
  const auto call = Enter(Op::kOpen);
  if (!call.ok()) return call.status();
  // Private: it is in no table, so nobody else can find it, and it goes with its device.
  auto created = Minor::Create(std::move(medium), range);
  if (!created.ok()) return created.status();
  if (partition.empty()) return OpenMinor(created.value(), options, holder);
  auto part = Minor::CreatePartition(created.value(), partition);
  if (!part.ok()) return part.status();
  return OpenMinor(part.value(), options, holder);
}

Result<std::shared_ptr<Device>> Driver::OpenMinor(const std::shared_ptr<Minor>& minor, const OpenOptions& options,
                                                  int* holder) {
  auto opened = Device::Open(minor, options, Context());
  // Asked after the fact, and only for the words of the error: whoever was in the way may be gone again.
  if (holder != nullptr) *holder = opened.status().err == EBUSY ? minor->LockHolder(options.mode) : 0;
  if (!opened.ok()) return opened.status();
  // Against Close(), which is EBUSY while this call is under way, and then finds the device open.
  MutexLock lock(mu_);
  std::shared_ptr<Device> added = devices_->Add(opened.Take());
  if (!added) return Status{ENOMEM, Op::kOpen};
  return added;
}

Status Driver::SetFaults(FaultInjector::Settings settings) {
  assert(settings.rate <= kBlkfailMax);
  return devices_->SetFaults(settings);
}

Status Driver::AdmitOpen(int minor) {
  const std::shared_ptr<FaultRun> run = plan();
  if (!run) return Status::Ok();
  FaultSubject subject;
  subject.op = FaultOp::kOpen;
  subject.minor = minor;
  const FaultVerdict verdict = run->Decide(subject);
  if (verdict.injected > 0) counters().Add(Counter::kFaultsInjected, verdict.injected, kSharedLane);
  if (verdict.logged > 0) devices_->plans().Ring();
  return verdict.stop;
}

Result<std::function<void()>> Driver::Log(Device& device, const std::shared_ptr<RequestLog>& log) {
  // Made before anything is switched on.
  std::function<void()> end = [group = devices_, minor = device.shared_minor(), log] {
    group->EndLog(minor->disk(), *log);
  };
  const Status status = devices_->Log(device, log);
  if (!status.ok()) return status;
  return end;
}

Status Driver::Close() {
  std::vector<std::shared_ptr<Minor>> freed;
  {
    MutexLock lock(mu_);
    // A device that is closed may still be held by somebody; it is no obstacle. Both under the lock, which OpenMinor()
    // takes: what it adds is open, or its call is under way.
    if (devices_->AnyOpen()) return {EBUSY, Op::kClose};
    const Status idle = calls_.CloseIdle();
    if (!idle.ok()) return idle;
    // Retired below, outside the lock: closing a host file may take its time.
    freed.swap(table_);
  }
  StopThreads();
  // Partitions before the disks that they hold.
  std::stable_partition(freed.begin(), freed.end(), [](const auto& minor) { return minor && minor->partition(); });
  Status first = Status::Ok();
  for (const auto& minor : freed) {
    if (!minor) continue;
    const Status retired = minor->Retire();
    if (first.ok()) first = retired;
  }
  return first;
}

}  // namespace blk
