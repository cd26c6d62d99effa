#include "core/medium/qemu_lock.h"

#include <initializer_list>

namespace blk {
namespace {

using Bytes = QemuLock::Bytes;

// QEMU's permissions are bits: 0 consistent read, 1 write, 2 write unchanged, 3 resize, 4 change the graph (older
// ones).
constexpr uint64_t kUsed = 100;
constexpr uint64_t kNotShared = 200;
constexpr uint64_t kRead = 0, kWrite = 1, kResize = 3;

// A writer of ours uses every permission of QEMU's but to read, and shares none. Both stretches are longer than QEMU
// has permissions, and so no lock of QEMU's: that tells a writer of ours, which has another range, from QEMU's. While
// one is there, no program of QEMU's is.
constexpr uint64_t kPermissions = 28;
constexpr Bytes kWriterUses{kUsed + kWrite, kPermissions - kWrite};
constexpr Bytes kWriterHas{kNotShared, kPermissions};
// A reader of ours lets nobody write or resize, as QEMU's own do.
constexpr Bytes kReaderWrites{kNotShared + kWrite, 1};
constexpr Bytes kReaderResizes{kNotShared + kResize, 1};
// Byte 100 is QEMU's alone: whoever has it is a program of QEMU's that reads, as nearly all do, also those that write.
constexpr Bytes kQemuReads{kUsed + kRead, 1};
constexpr Bytes kQemuChanges{kUsed + kWrite, kResize - kWrite + 1};
constexpr Bytes kQemuHas{kNotShared + kRead, 1};

// POSIX lets a host say either of a lock that somebody has.
Status ToStatus(int rc) {
  if (rc == -EAGAIN || rc == -EACCES) return {EBUSY, Op::kLock};
  return rc < 0 ? Status{-rc, Op::kLock} : Status::Ok();
}

Status LockAll(HostIo& host, int fd, LockKind kind, std::initializer_list<Bytes> all) {
  for (const Bytes& bytes : all) {
    const Status status = ToStatus(host.Lock(fd, kind, bytes.begin, bytes.size));
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

bool IsOurs(const HeldLock& held) {
  for (const Bytes& bytes : {kWriterUses, kWriterHas}) {
    if (held.offset == bytes.begin && held.size == bytes.size) return true;
  }
  return false;
}

// EBUSY when a program that is not ours has a lock there.
Status RequireNobody(HostIo& host, int fd, const Bytes& bytes) {
  HeldLock held;
  const int rc = host.TestLock(fd, LockKind::kExclusive, bytes.begin, bytes.size, &held);
  if (rc < 0) return {-rc, Op::kLock};
  return rc == 0 || IsOurs(held) ? Status::Ok() : Status{EBUSY, Op::kLock};
}

}  // namespace

Status QemuLock::Set(HostIo& host, int fd, LockKind kind) {
  if (kind == kind_ && !unsettled_) return Status::Ok();
  const LockKind before = kind_;
  Status status = Apply(host, fd, kind);
  if (kind <= before) return status;
  if (status.ok()) status = Check(host, fd, kind);
  // The error to tell is the first one.
  if (!status.ok()) static_cast<void>(Apply(host, fd, before));
  return status;
}

// What goes is taken away first, in stretches that leave what stays; then what comes is set, which may be there
// already.
Status QemuLock::Apply(HostIo& host, int fd, LockKind kind) {
  Status status = Status::Ok();
  if (kind == LockKind::kNone) status = LockAll(host, fd, LockKind::kNone, {kWriterUses, kWriterHas});
  if (kind == LockKind::kShared) {
    constexpr uint64_t kAfterResize = kReaderResizes.begin + 1;
    status = LockAll(host, fd, LockKind::kNone,
                     {kWriterUses,
                      {kNotShared, kWrite},
                      {kReaderWrites.begin + 1, kResize - kWrite - 1},
                      {kAfterResize, kWriterHas.begin + kWriterHas.size - kAfterResize}});
    if (status.ok()) status = LockAll(host, fd, LockKind::kShared, {kReaderWrites, kReaderResizes});
  }
  if (kind == LockKind::kExclusive) status = LockAll(host, fd, LockKind::kShared, {kWriterUses, kWriterHas});
  // What failed half-way is no more than this, so that whoever wants more asks for it, and looks again.
  unsettled_ = !status.ok();
  if (status.ok() || kind < kind_) kind_ = kind;
  return status;
}

// A reader minds who changes the file, or lets nobody read it; a writer minds everybody. Bytes 201 and on, which
// readers of ours may have elsewhere, need no look: a program of QEMU's that has one reads as well.
Status QemuLock::Check(HostIo& host, int fd, LockKind kind) {
  Status status = RequireNobody(host, fd, kQemuChanges);
  if (status.ok()) status = RequireNobody(host, fd, kQemuHas);
  if (status.ok() && kind == LockKind::kExclusive) status = RequireNobody(host, fd, kQemuReads);
  return status;
}

int QemuLock::Holder(HostIo& host, int fd, LockKind kind, const std::vector<int>& own) {
  const bool writes = kind == LockKind::kExclusive;
  for (const Bytes& bytes : {writes ? kQemuReads : kQemuChanges, kQemuChanges, kQemuHas}) {
    const int holder = host.LockHolder(fd, LockKind::kExclusive, bytes.begin, bytes.size, own);
    if (holder != 0) return holder;
  }
  // Somebody who knows nothing of QEMU has the bytes for itself.
  return host.LockHolder(fd, LockKind::kShared, kWriterUses.begin,
                         kWriterHas.begin + kWriterHas.size - kWriterUses.begin, own);
}

}  // namespace blk
