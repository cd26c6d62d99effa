#include "core/device/minor.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace blk {

// ---- registration

Minor::Minor(HostIo& host, std::string path, UniqueFd fd, const FileInfo& info)
    : host_(host),
      path_(std::move(path)),
      type_(info.type),
      identity_device_(info.device),
      identity_inode_(info.inode),
      read_fd_(std::move(fd)) {}

Result<std::shared_ptr<Minor>> Minor::Create(HostIo& host, const std::string& path, const HostRange& range) {
  FileInfo info;
  int rc = host.StatPath(path, &info);
  if (rc < 0) return Status{-rc, Op::kStat};
  if (info.type == FileType::kOther) return Status{EINVAL, Op::kRegister};
  rc = host.Open(path, {});
  if (rc < 0) return Status{-rc, Op::kOpen};
  UniqueFd fd(host, rc);
  rc = host.Stat(fd.get(), &info);
  if (rc < 0) return Status{-rc, Op::kStat};
  if (info.type == FileType::kOther) return Status{EINVAL, Op::kRegister};

  uint64_t file_size = info.size;
  if (info.type != FileType::kRegular) {
    const int64_t node_size = host.NodeSize(fd.get(), info.type);
    if (node_size == -ESPIPE) return Status{EINVAL, Op::kRegister};  // cannot seek: not a disk
    if (node_size < 0) return Status{static_cast<int>(-node_size), Op::kStat};
    file_size = static_cast<uint64_t>(node_size);
  }
  std::shared_ptr<Minor> minor(new Minor(host, path, std::move(fd), info));
  Status status = minor->SetRange(range, file_size);
  if (!status.ok()) return status;
  return minor;
}

Status Minor::SetRange(const HostRange& range, uint64_t file_size) {
  const bool size_untold = type_ != FileType::kRegular && file_size == 0;
  if (size_untold) {
    if (!range.size) return {EINVAL, Op::kRegister};
    const auto end = CheckedAdd(range.offset, *range.size);
    if (!end || *end > kMaxSafeInteger) return {EOVERFLOW, Op::kRegister};
    file_size = *end;
  }
  if (range.offset > file_size) return {EINVAL, Op::kRegister};
  const uint64_t rest = file_size - range.offset;
  if (range.size && *range.size > rest) return {EINVAL, Op::kRegister};
  offset_ = range.offset;
  size_ = range.size.value_or(rest);
  if (offset_ + size_ > kMaxSafeInteger) return {EOVERFLOW, Op::kRegister};
  label_ = DefaultLabel(size_, 0);
  return Status::Ok();
}

bool Minor::SameAs(const Minor& other) const {
  return type_ == other.type_ && identity_device_ == other.identity_device_ &&
         identity_inode_ == other.identity_inode_ && offset_ == other.offset_ && size_ == other.size_;
}

void Minor::SetIndex(int index) {
  index_ = index;
  label_ = DefaultLabel(size_, static_cast<uint32_t>(index) % kMaxPartitions);
}

Status Minor::Retire() {
  uint32_t none = 0;
  if (!opens_.compare_exchange_strong(none, kRetired, std::memory_order_acq_rel)) {
    return {none == kRetired ? ENXIO : EBUSY, Op::kDeregister};
  }
  // Now, not when the last reference goes: objects of closed devices may hold one for long.
  return read_fd_.Close();
}

Status Minor::CheckHostSize() {
  if (type_ != FileType::kRegular) return Status::Ok();
  FileInfo info;
  const int rc = host_.Stat(read_fd_.get(), &info);
  if (rc < 0) return {-rc, Op::kStat};
  const HostOffset end{offset_ + size_};
  if (info.size >= end.value) return Status::Ok();
  flush_.NoteLoss({{std::max(info.size, offset_)}, end});
  return {EIO, Op::kFlush};
}

// ---- open and close

bool Minor::Enter() {
  uint32_t opens = opens_.load(std::memory_order_relaxed);
  do {
    if ((opens & kRetired) != 0) return false;
  } while (!opens_.compare_exchange_weak(opens, opens + 1, std::memory_order_acq_rel));
  return true;
}

int Minor::LockHolder(OpenMode mode) {
  if (!Enter()) return 0;
  std::vector<int> own = {read_fd_.get()};
  {
    MutexLock lock(mu_);
    if (write_fd_.valid()) own.push_back(write_fd_.get());
  }
  const LockKind kind = mode == OpenMode::kReadWrite ? LockKind::kExclusive : LockKind::kShared;
  int holder = host_.LockHolder(read_fd_.get(), kind, offset_, size_, own);
  // A block node is claimed as a whole: whoever has any range of it may be in the way.
  if (holder == 0 && type_ == FileType::kBlock) holder = host_.LockHolder(read_fd_.get(), kind, 0, 0, own);
  Leave();
  return holder;
}

Result<HostFile> Minor::Acquire(const OpenOptions& options) {
  // Counted before anything is opened, so that a deregister meanwhile answers EBUSY and not a closed file.
  if (!Enter()) return Status{ENXIO, Op::kOpen};
  const bool write = options.mode == OpenMode::kReadWrite;
  MutexLock lock(mu_);
  active_++;
  Status status = write ? OpenForWriting() : Status::Ok();
  if (status.ok() && options.direct) status = OpenDirect(write);
  if (status.ok() && options.lock) {
    (write ? lock_writers_ : lock_readers_)++;
    status = AdjustLock();
    if (!status.ok()) (write ? lock_writers_ : lock_readers_)--;
  }
  if (!status.ok()) {
    // The open's own error is the one to tell; what this attempt opened holds no data of ours.
    if (--active_ == 0) static_cast<void>(CloseAll());
    Leave();
    return status;
  }
  HostFile file;
  file.host = &host_;
  file.fd = write ? write_fd_.get() : read_fd_.get();
  if (options.direct) file.direct_fd = write ? direct_write_fd_.get() : direct_read_fd_.get();
  file.alignment = alignment_;
  file.character = type_ == FileType::kCharacter;
  return file;
}

Status Minor::Release(const OpenOptions& options) {
  const bool write = options.mode == OpenMode::kReadWrite;
  Status status = Status::Ok();
  {
    MutexLock lock(mu_);
    if (options.lock) {
      (write ? lock_writers_ : lock_readers_)--;
      status = AdjustLock();
    }
    if (--active_ == 0) {
      const Status closed = CloseAll();
      if (status.ok()) status = closed;
      flush_.Reset();
    }
  }
  Leave();
  if (index_ != kPrivateMinor) return status;
  const Status retired = Retire();
  return status.ok() ? retired : status;
}

Status Minor::OpenForWriting() {
  if (write_fd_.valid()) return Status::Ok();
  OpenFlags flags;
  flags.write = true;
  int rc = host_.Reopen(read_fd_.get(), path_, flags);
  if (rc < 0) return {-rc, Op::kOpen};
  UniqueFd fd(host_, rc);
  if (type_ == FileType::kBlock) {
    // A read-only node can be opened for writing and then refuses every write: say so now.
    rc = host_.NodeReadOnly(fd.get());
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
  int rc = host_.Reopen(read_fd_.get(), path_, flags);
  if (rc == -EINVAL) return Status::Ok();
  if (rc < 0) return {-rc, Op::kOpen};
  UniqueFd fd(host_, rc);
  rc = host_.AlignmentForDirect(fd.get(), &alignment_);
  if (rc < 0) return {-rc, Op::kStat};
  slot = std::move(fd);
  return Status::Ok();
}

// A block node is claimed before its lock is taken: the claim keeps out what asks for no lock, a mount above all. It is
// given back with the last writer that has a lock, and by one that did not get it.
Status Minor::AdjustLock() {
  Status status = lock_writers_ > 0 ? Claim() : Status::Ok();
  if (status.ok()) status = MoveLock();
  if (status.ok() && lock_writers_ > 0) return status;
  const Status given_back = claim_fd_.Close();
  return status.ok() ? given_back : status;
}

Status Minor::Claim() {
  if (type_ != FileType::kBlock || claim_fd_.valid()) return Status::Ok();
  OpenFlags flags;
  flags.exclusive = true;
  const int rc = host_.Reopen(read_fd_.get(), path_, flags);
  if (rc < 0) return {-rc, Op::kOpen};
  claim_fd_ = UniqueFd(host_, rc);
  return Status::Ok();
}

// The lock lies on one descriptor: on the writer's while there is one with a lock, else on the reader's. Between two
// descriptors it cannot move in one step: the reader's shared lock is dropped, then the writer's exclusive one taken.
// If somebody else comes in between, the shared lock is asked for again and the open that wanted more fails with EBUSY.
Status Minor::MoveLock() {
  const LockKind wanted = lock_writers_ > 0   ? LockKind::kExclusive
                          : lock_readers_ > 0 ? LockKind::kShared
                                              : LockKind::kNone;
  if (wanted == locked_) return Status::Ok();
  const bool on_writer = locked_by_writer_fd_ || (wanted == LockKind::kExclusive && locked_ == LockKind::kNone);
  const UniqueFd& current = on_writer ? write_fd_ : read_fd_;
  if (wanted != LockKind::kExclusive || on_writer) {
    Status status = LockWith(current, wanted);
    if (status.ok()) locked_by_writer_fd_ = on_writer && wanted != LockKind::kNone;
    return status;
  }
  Status status = LockWith(read_fd_, LockKind::kNone);
  if (!status.ok()) return status;
  status = LockWith(write_fd_, LockKind::kExclusive);
  if (status.ok()) {
    locked_by_writer_fd_ = true;
    return status;
  }
  // Best effort by design: the error to tell is that of the exclusive lock.
  static_cast<void>(LockWith(read_fd_, LockKind::kShared));
  return status;
}

Status Minor::LockWith(const UniqueFd& fd, LockKind kind) {
  if (size_ == 0) return Status::Ok();  // to fcntl(2) a length of 0 means everything behind the offset
  const int rc = host_.Lock(fd.get(), kind, offset_, size_);
  if (rc == -EAGAIN || rc == -EACCES) return {EBUSY, Op::kLock};
  if (rc < 0) return {-rc, Op::kLock};
  locked_ = kind;
  return Status::Ok();
}

Status Minor::CloseAll() {
  Status first = direct_read_fd_.Close();
  for (UniqueFd* fd : {&direct_write_fd_, &claim_fd_, &write_fd_}) {
    const Status status = fd->Close();
    if (first.ok()) first = status;
  }
  if (locked_by_writer_fd_) locked_ = LockKind::kNone;  // it went with the descriptor, if it was not dropped before
  locked_by_writer_fd_ = false;
  return first;
}

}  // namespace blk
