#include "core/medium/host_medium.h"

#include <utility>
#include <vector>

#include "core/base/no_memory.h"
#include "core/host/transfer_loop.h"
#include "core/medium/host_channel.h"

namespace blk {
namespace {

MediumIdentity IdentityOf(const FileInfo& info) {
  MediumIdentity identity;
  identity.device = info.device;
  identity.inode = info.inode;
  if (info.type == FileType::kBlock) identity.kind = MediumKind::kBlock;
  if (info.type == FileType::kCharacter) identity.kind = MediumKind::kCharacter;
  return identity;
}

// Bytes of the file or node behind `fd`, or nothing of one that does not tell.
Result<std::optional<uint64_t>> SizeOf(HostIo& host, int fd, const FileInfo& info) {
  using Untold = std::optional<uint64_t>;
  if (info.type == FileType::kRegular) {
    const int content = info.size == 0 ? host.HasContent(fd) : 0;
    if (content < 0) return Status{-content, Op::kStat};
    return content != 0 ? Untold() : Untold(info.size);
  }
  const int64_t size = Uninterrupted([&] { return host.NodeSize(fd, info.type); });
  if (size == -ESPIPE) return Status{EINVAL, Op::kRegister, Why::kNoPositions};
  if (size < 0) return Status{static_cast<int>(-size), Op::kStat};
  // One that says 0 may be one that does not tell, as many character nodes.
  return size == 0 ? Untold() : Untold(static_cast<uint64_t>(size));
}

}  // namespace

HostMedium::HostMedium(HostIo& host, std::string path, UniqueFd fd, const FileInfo& info, std::optional<uint64_t> size)
    : host_(host),
      path_(std::move(path)),
      identity_(IdentityOf(info)),
      size_(size),
      holes_(host_, path_, is_block()),
      read_fd_(std::move(fd)) {}

Result<std::unique_ptr<HostMedium>> HostMedium::Create(HostIo& host, const std::string& path,
                                                       std::shared_ptr<HostEngine> engine) {
  FileInfo info;
  // Looked at by path first: opening a pipe would wake its other end, or wait for one. Looked at again once it is open,
  // since the path may name something else by then.
  int rc = Uninterrupted([&] { return host.StatPath(path, &info); });
  if (rc < 0) return Status{-rc, Op::kStat};
  if (info.type == FileType::kOther) return Status{EINVAL, Op::kRegister, Why::kNoDisk};
  // Read-only: that fixes which file it is and needs no right to write, which only an 'r+' open asks for.
  rc = Uninterrupted([&] { return host.Open(path, {}); });
  if (rc < 0) return Status{-rc, Op::kOpen};
  auto medium = Of(host, path, UniqueFd(host, rc));
  if (medium.ok()) medium.value()->engine_ = std::move(engine);
  return medium;
}

Result<std::unique_ptr<HostMedium>> HostMedium::Of(HostIo& host, const std::string& path, UniqueFd fd) {
  FileInfo info;
  const int rc = Uninterrupted([&] { return host.Stat(fd.get(), &info); });
  if (rc < 0) return Status{-rc, Op::kStat};
  if (info.type == FileType::kOther) return Status{EINVAL, Op::kRegister, Why::kNoDisk};
  const auto size = SizeOf(host, fd.get(), info);
  if (!size.ok()) return size.status();
  return std::unique_ptr<HostMedium>(new HostMedium(host, path, std::move(fd), info, size.value()));
}

Result<std::unique_ptr<Medium>> HostMedium::Again() {
  const int rc = Reopen({});
  if (rc < 0) return Status{-rc, Op::kOpen};
  auto again = Of(host_, path_, UniqueFd(host_, rc));
  if (!again.ok()) return again.status();
  return std::unique_ptr<Medium>(again.Take());
}

uint64_t HostMedium::sector_size() const {
  DirectAlignment alignment;
  if (!is_block() || host_.AlignmentForDirect(read_fd_.get(), &alignment) < 0) return kDevBsize;
  return alignment.offset != 0 ? alignment.offset : kDevBsize;
}

Result<uint64_t> HostMedium::SizeNow() {
  if (identity_.kind != MediumKind::kFile) return *size_;
  FileInfo info;
  const int rc = Uninterrupted([&] { return host_.Stat(read_fd_.get(), &info); });
  if (rc < 0) return Status{-rc, Op::kStat};
  return info.size;
}

Status HostMedium::Read(MediumOffset at, void* data, size_t size) {
  HostFile file;
  file.host = &host_;
  file.fd = read_fd_.get();
  return file.ReadAll(data, size, at, nullptr).status;
}

int HostMedium::Holder(const Attachment& wanted) {
  int holder = 0;
  // Without memory to look, nobody is named.
  static_cast<void>(HadMemory([&] {
    const std::vector<int> own = Descriptors();
    const LockKind kind = KindOf(wanted);
    const int fd = own.front();
    const RangeLocks::Range range = RangeOf(wanted);
    holder = host_.LockHolder(fd, kind, kRangeLocks + range.begin, range.end - range.begin, own);
    if (holder == 0) holder = QemuLock::Holder(host_, fd, kind, own);
    // A block node is claimed as a whole: whoever has any range of it may be in the way.
    if (holder == 0 && is_block()) holder = host_.LockHolder(fd, kind, kRangeLocks, 0, own);
  }));
  return holder;
}

std::vector<int> HostMedium::Descriptors() {
  MutexLock lock(mu_);
  std::vector<int> own = {read_fd_.get()};
  if (write_fd_.valid()) own.push_back(write_fd_.get());
  return own;
}

Result<std::unique_ptr<Channel>> HostMedium::Attach(const Attachment& wanted) {
  MutexLock lock(mu_);
  // Before anything is opened: a failure below closes what no other open uses, and this says whether there is one.
  attached_++;
  Status status = wanted.write ? OpenForWriting() : Status::Ok();
  if (status.ok() && wanted.direct) status = OpenDirect(wanted.write);
  std::unique_ptr<HostChannel> channel;
  const auto make = [&]() REQUIRES(mu_) {
    HostFile file;
    file.host = &host_;
    // Copies of the numbers: they stay open until Detach() of the last open.
    file.fd = wanted.write ? write_fd_.get() : read_fd_.get();
    if (wanted.direct) file.direct_fd = wanted.write ? direct_write_fd_.get() : direct_read_fd_.get();
    file.alignment = alignment_;
    file.character = identity_.kind == MediumKind::kCharacter;
    const bool mappable = identity_.kind == MediumKind::kFile && size_;
    // Of a character node nobody knows what waits.
    channel = std::make_unique<HostChannel>(file, mappable, mappable || is_block() ? &holes_ : nullptr,
                                            file.character ? nullptr : engine_);
  };
  if (status.ok() && !HadMemory(make)) status = {ENOMEM, Op::kOpen};
  if (status.ok() && wanted.lock) status = TakeLock(RangeOf(wanted), KindOf(wanted));
  if (status.ok()) {
    // Until the last writer with a lock has gone: as long as this one has one.
    if (wanted.write && wanted.lock) channel->UseExclusive(claim_fd_.get());
    return std::unique_ptr<Channel>(std::move(channel));
  }
  // The open's own error is the one to tell; what this attempt opened holds no data of ours.
  if (--attached_ == 0) static_cast<void>(CloseAll());
  return status;
}

Status HostMedium::Detach(const Attachment& wanted) {
  Status status = Status::Ok();
  MutexLock lock(mu_);
  if (wanted.lock) {
    locks_.Remove(RangeOf(wanted), KindOf(wanted));
    status = AdjustLock();
  }
  if (--attached_ == 0) {
    const Status closed = CloseAll();
    if (status.ok()) status = closed;
  }
  return status;
}

Status HostMedium::TakeLock(RangeLocks::Range range, LockKind kind) {
  if (!HadMemory([&]() REQUIRES(mu_) { locks_.Add(range, kind); })) return {ENOMEM, Op::kLock};
  const Status status = AdjustLock();
  if (status.ok()) return status;
  locks_.Remove(range, kind);
  static_cast<void>(AdjustLock());  // back to what the others want; the error to tell is the first one
  return status;
}

int HostMedium::Reopen(OpenFlags flags) {
  const int fd = read_fd_.get();
  return Uninterrupted([&] { return host_.Reopen(fd, path_, flags); });
}

Status HostMedium::OpenForWriting() {
  if (write_fd_.valid()) return Status::Ok();
  OpenFlags flags;
  flags.write = true;
  int rc = Reopen(flags);
  if (rc < 0) return {-rc, Op::kOpen};
  UniqueFd fd(host_, rc);
  if (is_block()) {
    // A read-only node can be opened for writing and then refuses every write: say so now.
    rc = Uninterrupted([&] { return host_.NodeReadOnly(fd.get()); });
    if (rc != 0) return {rc < 0 ? -rc : EROFS, Op::kOpen};
  }
  write_fd_ = std::move(fd);
  return Status::Ok();
}

// Not having O_DIRECT is no error: requests then go through the page cache.
Status HostMedium::OpenDirect(bool write) {
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
Status HostMedium::AdjustLock() {
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

Status HostMedium::Claim() {
  if (!is_block() || claim_fd_.valid()) return Status::Ok();
  OpenFlags flags;
  // A descriptor of its own: O_EXCL holds for as long as it is open, whatever the others are used for. One that writes,
  // for discards and zeros: through another one the node is somebody else's.
  flags.write = flags.exclusive = true;
  const int rc = Reopen(flags);
  if (rc < 0) return {-rc, Op::kOpen};
  claim_fd_ = UniqueFd(host_, rc);
  return Status::Ok();
}

Status HostMedium::MoveLock() {
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
Status HostMedium::MoveLock(const RangeLocks::Change& change) {
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

Status HostMedium::LockWith(const RangeLocks::Change& change, LockKind kind, bool on_writer) {
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

Status HostMedium::CloseAll() {
  Status first = direct_read_fd_.Close();
  for (UniqueFd* fd : {&direct_write_fd_, &claim_fd_, &write_fd_}) {
    const Status status = fd->Close();
    if (first.ok()) first = status;
  }
  const Status walk = holes_.Close();
  if (first.ok()) first = walk;
  locks_.ForgetWriter();  // what was not dropped before went with the descriptor
  return first;
}

}  // namespace blk
