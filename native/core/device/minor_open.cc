// The half of Minor that opens and closes: descriptors, the claim and the lock. Registration is in minor.cc.
#include <utility>
#include <vector>

#include "core/base/no_memory.h"
#include "core/device/minor.h"
#include "core/host/transfer_loop.h"

namespace blk {

// Neither half of the word can overflow: what it counts are objects in memory.
bool Minor::Enter(uint64_t use) {
  uint64_t uses = uses_.load(std::memory_order_relaxed);
  do {
    if ((uses & kRetired) != 0) return false;
  } while (!uses_.compare_exchange_weak(uses, uses + use, std::memory_order_acq_rel));
  return true;
}

Status Minor::Hold() { return Enter(kHold) ? Status::Ok() : Status{ENXIO, Op::kRegister}; }
void Minor::Unhold() { Leave(kHold); }

int Minor::LockHolder(OpenMode mode) {
  // Like an open, so that the descriptors stay: it may be deregistered at any moment.
  if (!Enter(1)) return 0;
  int holder = 0;
  // Without memory to look, nobody is named.
  static_cast<void>(HadMemory([&] {
    const std::vector<int> own = disk().Descriptors();
    const LockKind kind = mode == OpenMode::kReadWrite ? LockKind::kExclusive : LockKind::kShared;
    const int fd = own.front();
    holder = host_.LockHolder(fd, kind, kRangeLocks + offset_, size_, own);
    if (holder == 0) holder = QemuLock::Holder(host_, fd, kind, own);
    // A block node is claimed as a whole: whoever has any range of it may be in the way.
    if (holder == 0 && type_ == FileType::kBlock) holder = host_.LockHolder(fd, kind, kRangeLocks, 0, own);
  }));
  Leave(1);
  return holder;
}

std::vector<int> Minor::Descriptors() {
  MutexLock lock(mu_);
  std::vector<int> own = {read_fd_.get()};
  if (write_fd_.valid()) own.push_back(write_fd_.get());
  return own;
}

Result<HostFile> Minor::Acquire(const OpenOptions& options) {
  // Counted before anything is opened, so that a deregister meanwhile answers EBUSY and not a closed file.
  if (!Enter(1)) return Status{ENXIO, Op::kOpen};
  auto file = disk().Attach(options, RangeToLock(options));
  if (!file.ok()) Leave(1);
  return file;
}

Status Minor::Release(const OpenOptions& options) {
  // Before it is counted out: as long as it counts, Retire() answers EBUSY and read_fd_ stays open.
  const Status status = disk().Detach(options, RangeToLock(options));
  Leave(1);
  if (index_ != kPrivateMinor) return status;
  Status retired = Retire();
  // The disk of a private partition is in no table either: its one user is gone.
  if (retired.ok() && disk_) retired = disk_->Retire();
  return status.ok() ? retired : status;
}

Result<HostFile> Minor::Attach(const OpenOptions& options, RangeLocks::Range range) {
  const bool write = options.mode == OpenMode::kReadWrite;
  const LockKind kind = write ? LockKind::kExclusive : LockKind::kShared;
  MutexLock lock(mu_);
  // Before anything is opened: a failure below closes what no other open uses, and this says whether there is one.
  active_++;
  Status status = write ? OpenForWriting() : Status::Ok();
  if (status.ok() && options.direct) status = OpenDirect(write);
  if (status.ok() && options.lock) status = TakeLock(range, kind);
  if (!status.ok()) {
    // The open's own error is the one to tell; what this attempt opened holds no data of ours.
    if (--active_ == 0) static_cast<void>(CloseAll());
    return status;
  }
  HostFile file;
  file.host = &host_;
  // Copies of the numbers: they stay open until Detach() of the last open.
  file.fd = write ? write_fd_.get() : read_fd_.get();
  if (options.direct) file.direct_fd = write ? direct_write_fd_.get() : direct_read_fd_.get();
  file.alignment = alignment_;
  file.character = type_ == FileType::kCharacter;
  return file;
}

Status Minor::TakeLock(RangeLocks::Range range, LockKind kind) {
  if (!HadMemory([&]() REQUIRES(mu_) { locks_.Add(range, kind); })) return {ENOMEM, Op::kLock};
  const Status status = AdjustLock();
  if (status.ok()) return status;
  locks_.Remove(range, kind);
  static_cast<void>(AdjustLock());  // back to what the others want; the error to tell is the first one
  return status;
}

Status Minor::Detach(const OpenOptions& options, RangeLocks::Range range) {
  const bool write = options.mode == OpenMode::kReadWrite;
  Status status = Status::Ok();
  MutexLock lock(mu_);
  if (options.lock) {
    locks_.Remove(range, write ? LockKind::kExclusive : LockKind::kShared);
    status = AdjustLock();
  }
  if (--active_ == 0) {
    const Status closed = CloseAll();
    if (status.ok()) status = closed;
    // The last one: nothing is open that could answer for old errors, and the next open begins afresh.
    flush_.Reset();
    label_state_.Closed();
  }
  return status;
}

int Minor::Reopen(OpenFlags flags) {
  const int fd = read_fd_.get();
  return Uninterrupted([&] { return host_.Reopen(fd, path_, flags); });
}

Status Minor::OpenForWriting() {
  if (write_fd_.valid()) return Status::Ok();
  OpenFlags flags;
  flags.write = true;
  int rc = Reopen(flags);
  if (rc < 0) return {-rc, Op::kOpen};
  UniqueFd fd(host_, rc);
  if (type_ == FileType::kBlock) {
    // A read-only node can be opened for writing and then refuses every write: say so now.
    rc = Uninterrupted([&] { return host_.NodeReadOnly(fd.get()); });
    if (rc != 0) return {rc < 0 ? -rc : EROFS, Op::kOpen};
  }
  write_fd_ = std::move(fd);
  return Status::Ok();
}

// Not having O_DIRECT is no error: requests then go through the page cache.
Status Minor::OpenDirect(bool write) {
  UniqueFd& slot = write ? direct_write_fd_ : direct_read_fd_;
  if (slot.valid()) return Status::Ok();
  OpenFlags flags;
  flags.write = write;
  flags.direct = true;
  int rc = Reopen(flags);
  if (rc == -EINVAL) return Status::Ok();
  if (rc < 0) return {-rc, Op::kOpen};
  UniqueFd fd(host_, rc);
  DirectAlignment alignment;
  rc = Uninterrupted([&] { return host_.AlignmentForDirect(fd.get(), &alignment); });
  if (rc < 0) return {-rc, Op::kStat};
  alignment_ = alignment;
  slot = std::move(fd);
  return Status::Ok();
}

// A block node is claimed before its lock is taken: the claim keeps out what asks for no lock, a mount above all. It is
// given back with the last writer that has a lock, and by one that did not get it.
Status Minor::AdjustLock() {
  Status status = locks_.has_writer() ? Claim() : Status::Ok();
  // Without memory it stays as it is: stronger than need be, if this is a close, until the next open or close.
  if (status.ok() && !HadMemory([&]() REQUIRES(mu_) { status = MoveLock(); })) status = {ENOMEM, Op::kLock};
  // QEMU's programs hear of an open once it has its range. Given back it is after a failure as well.
  const LockKind kind = locks_.strongest();
  if (status.ok() || kind < qemu_.kind()) {
    const Status shown = qemu_.Set(host_, read_fd_.get(), kind);
    if (status.ok()) status = shown;
  }
  if (locks_.has_writer()) return status;
  const Status given_back = claim_fd_.Close();
  return status.ok() ? given_back : status;
}

Status Minor::Claim() {
  if (type_ != FileType::kBlock || claim_fd_.valid()) return Status::Ok();
  OpenFlags flags;
  // A descriptor of its own, read-only: O_EXCL holds for as long as it is open, whatever the others are used for.
  flags.exclusive = true;
  const int rc = Reopen(flags);
  if (rc < 0) return {-rc, Op::kOpen};
  claim_fd_ = UniqueFd(host_, rc);
  return Status::Ok();
}

Status Minor::MoveLock() {
  Status first = Status::Ok();
  // On after a failure: what can be given back should be, whoever else is in the way.
  for (const RangeLocks::Change& change : locks_.Changes()) {
    const Status moved = MoveLock(change);
    if (first.ok()) first = moved;
  }
  return first;
}

// A stretch is locked on one descriptor: on the writer's from its first exclusive lock on, else on the reader's.
// Between two descriptors it cannot move in one step: the reader's shared lock is dropped, then the writer's exclusive
// one taken. If somebody else comes in between, the shared lock is asked for again and the open that wanted more fails
// with EBUSY.
Status Minor::MoveLock(const RangeLocks::Change& change) {
  const bool first = change.held == LockKind::kNone;
  const bool on_writer = first ? change.wanted == LockKind::kExclusive : change.on_writer;
  if (on_writer || change.wanted != LockKind::kExclusive) return LockWith(change, change.wanted, on_writer);
  Status status = LockWith(change, LockKind::kNone, false);
  if (!status.ok()) return status;
  status = LockWith(change, LockKind::kExclusive, true);
  if (status.ok()) return status;
  // Best effort by design: the error to tell is that of the exclusive lock.
  static_cast<void>(LockWith(change, LockKind::kShared, false));
  return status;
}

Status Minor::LockWith(const RangeLocks::Change& change, LockKind kind, bool on_writer) {
  const UniqueFd& fd = on_writer ? write_fd_ : read_fd_;
  locks_.MakeRoom();
  const uint64_t size = change.range.end - change.range.begin;
  const int rc = host_.Lock(fd.get(), kind, kRangeLocks + change.range.begin, size);
  // POSIX lets a host say either of a lock that somebody has.
  if (rc == -EAGAIN || rc == -EACCES) return {EBUSY, Op::kLock};
  if (rc < 0) return {-rc, Op::kLock};
  locks_.Note(change, kind, on_writer);
  return Status::Ok();
}

Status Minor::CloseAll() {
  Status first = direct_read_fd_.Close();
  for (UniqueFd* fd : {&direct_write_fd_, &claim_fd_, &write_fd_}) {
    const Status status = fd->Close();
    if (first.ok()) first = status;
  }
  locks_.ForgetWriter();  // what was not dropped before went with the descriptor
  return first;
}

}  // namespace blk
